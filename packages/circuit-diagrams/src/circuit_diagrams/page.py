"""A page of HTML: the diagram, to be zoomed and moved, and the costs of what is clicked."""

import html
import json
from typing import Any

from .cost import CostTable, cost
from .ir import Diagram
from .layout.picture import Layout
from .regions import Cell
from .render.svg import to_svg
from .render.themes import theme_named

STYLE = """
body{margin:0;font:14px/1.45 system-ui,'Helvetica Neue',Arial,sans-serif;color:INK;background:PAPER}
header{padding:12px 20px 4px}h1{font-size:19px;margin:0}header p{margin:2px 0;color:SOFT}
#stage{height:62vh;border-block:1px solid LINE;overflow:hidden;cursor:grab;touch-action:none;position:relative}
#stage svg{transform-origin:0 0;position:absolute;left:0;top:0}
#tools{position:absolute;right:12px;top:12px;z-index:2}
button{font:inherit;border:1px solid LINE;background:PAPER;color:INK;border-radius:5px;padding:2px 9px;cursor:pointer}
main{display:grid;grid-template-columns:minmax(0,3fr) minmax(260px,2fr);gap:20px;padding:14px 20px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:2px 8px;border-bottom:1px solid LINE;white-space:nowrap}
th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left}
tbody tr{cursor:pointer}th button{border:0;padding:0;font-weight:600}
th[aria-sort=descending] button::after{content:' ↓'}th[aria-sort=ascending] button::after{content:' ↑'}
tr.chosen{background:FENCE}.rows{overflow:auto;max-height:60vh}
.cell{cursor:pointer}.cell.chosen .box,.cell:focus .box{stroke-width:3.2}.cell:focus{outline:none}
#told{white-space:pre-wrap;overflow-wrap:anywhere}@media(max-width:760px){main{grid-template-columns:1fr}}
"""
SCRIPT = """
const data=JSON.parse(document.getElementById('data').textContent);
const stage=document.getElementById('stage'),svg=stage.querySelector('svg'),told=document.getElementById('told');
let x=0,y=0,k=1,from=null,moved=false;
const show=()=>{svg.style.transform=`translate(${x}px,${y}px) scale(${k})`;stage.dataset.scale=k.toFixed(3)};
const zoom=(f,cx,cy)=>{const n=Math.min(8,Math.max(.05,k*f));x=cx-(cx-x)*n/k;y=cy-(cy-y)*n/k;k=n;show()};
const fit=()=>{k=Math.min(1.4,stage.clientWidth/svg.width.baseVal.value);x=y=0;show()};
stage.addEventListener('wheel',e=>{e.preventDefault();const r=stage.getBoundingClientRect();
 zoom(Math.exp(-e.deltaY/400),e.clientX-r.left,e.clientY-r.top)},{passive:false});
stage.addEventListener('pointerdown',e=>{from=[e.clientX-x,e.clientY-y,e.clientX,e.clientY];moved=false});
window.addEventListener('pointermove',e=>{if(!from)return;
 if(Math.hypot(e.clientX-from[2],e.clientY-from[3])>3)moved=true;
 if(moved){x=e.clientX-from[0];y=e.clientY-from[1];show()}});
window.addEventListener('pointerup',()=>{from=null});
const centre=f=>zoom(f,stage.clientWidth/2,stage.clientHeight/2);
document.getElementById('in').onclick=()=>centre(1.4);
document.getElementById('out').onclick=()=>centre(1/1.4);
document.getElementById('fit').onclick=fit;
const choose=n=>{document.querySelectorAll('.chosen').forEach(e=>e.classList.remove('chosen'));
 document.querySelectorAll(`[data-cell="${n}"]`).forEach(e=>e.classList.add('chosen'));
 told.textContent=data[n]};
document.querySelectorAll('[data-cell]').forEach(e=>{
 e.addEventListener('click',()=>{if(!moved)choose(e.dataset.cell)});
 if(e.tagName==='g'){e.tabIndex=0;e.addEventListener('keydown',v=>{if(v.key==='Enter')choose(e.dataset.cell)})}});
const body=document.querySelector('tbody');
document.querySelectorAll('th').forEach((head,i)=>{
 const value=row=>{const text=row.cells[i].textContent;return i>1?Number(text.replaceAll(',','')):text};
 const sort=()=>{const was=head.getAttribute('aria-sort'),down=was!=='descending'&&(i>1||was==='ascending');
  document.querySelectorAll('th').forEach(e=>e.removeAttribute('aria-sort'));
  head.setAttribute('aria-sort',down?'descending':'ascending');
  const order=(a,b)=>{const u=value(a),v=value(b);
   return u===v?a.dataset.cell-b.dataset.cell:(u<v)===down?1:-1};
  [...body.rows].sort(order)
   .forEach(row=>body.append(row))};
 head.querySelector('button').addEventListener('click',sort)});
fit();
"""


def to_html(diagram: Diagram, layout: Layout, theme_name: str = "light") -> str:
    """A page that needs nothing else: no network, no other file."""
    theme = theme_named(theme_name)
    table = cost(diagram)
    style = STYLE
    for word, color in {
        "INK": theme.ink,
        "PAPER": theme.paper,
        "SOFT": theme.soft,
        "LINE": theme.line,
        "FENCE": theme.fence,
    }.items():
        style = style.replace(word, color)
    told = [_told(cell, table) for cell in layout.view.cells]
    data = json.dumps(told, ensure_ascii=False).replace("<", "\\u003c")
    name = html.escape(diagram.name)
    summary = (
        f"{len(diagram.ops):,} operations, {table.parameters:,} parameters, {table.macs:,} multiply-adds, "
        f"{table.peak_bytes:,} bytes at the peak"
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{style}</style></head><body>\n'
        f"<header><h1>{name}</h1><p>{summary}</p></header>\n"
        '<div id="stage"><div id="tools"><button id="in" aria-label="Zoom in">+</button> '
        '<button id="out" aria-label="Zoom out">−</button> <button id="fit">Fit</button></div>\n'
        f"{to_svg(layout.scene(), theme_name)}</div>\n"
        f'<main><div class="rows">{_table(layout.view.cells, table)}</div>'
        '<section><h2>Operation</h2><p id="told">Click on a symbol or a row.</p></section></main>\n'
        f'<script type="application/json" id="data">{data}</script>\n<script>{SCRIPT}</script></body></html>\n'
    )


def _sums(cell: Cell, table: CostTable) -> dict[str, int]:
    ids = {op.id for op in cell.ops}
    rows = [row for row in table.rows if row.op.id in ids]
    learned = {a.id: a for op in cell.ops for a in op.parameters if a.role == "parameter"}
    count = 0
    for a in learned.values():
        n = 1
        for size in a.shape:
            n *= size
        count += n
    return {
        "macs": sum(row.macs for row in rows),
        "element_ops": sum(row.element_ops for row in rows),
        "bytes": sum(row.output_bytes for row in rows),
        "parameters": count,
    }


def _table(cells: tuple[Cell, ...], table: CostTable) -> str:
    """One row a symbol of the diagram, the most multiply-adds first."""
    names = ("Operation", "Module", "MACs", "Elements", "Bytes", "Parameters")
    head = "".join(
        f'<th{" aria-sort=descending" * (h == "MACs")}><button title="Sort by this">{h}</button></th>' for h in names
    )
    rows = []
    sums = [_sums(cell, table) for cell in cells]
    for i in sorted(range(len(cells)), key=lambda i: -sums[i]["macs"]):
        cell = cells[i]
        texts: list[Any] = [html.escape(cell.name), html.escape(".".join(cell.region))]
        texts += [f"{value:,}" for value in sums[i].values()]
        rows.append(f'<tr data-cell="{i}">' + "".join(f"<td>{text}</td>" for text in texts) + "</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _told(cell: Cell, table: CostTable) -> str:
    """What is said of a symbol that was clicked."""

    def shapes(arrays: Any) -> str:  # noqa: ANN401 - arrays
        return ", ".join(
            (a.name + " " if a.name else "")
            + ("×".join(f"{x.label}={x.size}" if x.label != str(x.size) else x.label for x in a.axes) or "scalar")
            for a in arrays
        )

    op = cell.ops[0] if len(cell.ops) == 1 else None
    lines = [cell.name, f"module: {'.'.join(cell.region)}" if cell.region else ""]
    if op is not None:
        lines += [f"signature: {op.signature}", f"formula: {op.einsum}" if op.einsum else "", f"operator: {op.target}"]
        lines.append("broadcast over: " + (", ".join(dict.fromkeys(x.axis.label for x in op.broadcast)) or "nothing"))
        lines += [f"{key}: {value}" for key, value in op.attributes.items()]
    else:
        lines.append(f"{len(cell.ops)} operations")
    lines += [f"takes: {shapes(cell.inputs)}", f"learned: {shapes(cell.parameters)}" if cell.parameters else ""]
    lines.append(f"gives: {shapes(cell.outputs)}")
    found = _sums(cell, table)
    lines.append(
        f"{found['macs']:,} multiply-adds, {found['element_ops']:,} element operations, {found['bytes']:,} bytes"
    )
    return "\n".join(line for line in lines if line)
