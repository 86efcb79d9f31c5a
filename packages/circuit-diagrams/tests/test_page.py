"""The page of a model: what it holds, and what it does in a browser."""

import html
import json
import re
import shutil
import subprocess

import pytest
import torch

from circuit_diagrams import GALLERY, Drawing, cost, trace

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
PROBE = """<script>
const found={},rows=()=>[...document.querySelectorAll('tbody tr')].map(r=>r.cells[2].textContent);
const names=()=>[...document.querySelectorAll('tbody tr')].map(r=>r.cells[0].textContent);
const press=(e,kind='click',more={})=>e.dispatchEvent(new MouseEvent(kind,{bubbles:true,...more}));
const scale=()=>Number(stage.dataset.scale);
found.start=scale();press(document.getElementById('in'));found.zoomed=scale();
stage.dispatchEvent(new WheelEvent('wheel',{deltaY:-200,clientX:300,clientY:200,bubbles:true,cancelable:true}));
found.wheel=scale();press(document.getElementById('fit'));found.fitted=scale();
press(document.querySelector('g[data-cell="0"]'));found.told=told.textContent;
found.chosen=[...document.querySelectorAll('.chosen')].map(e=>e.dataset.cell);
found.first=rows();press(document.querySelector('th:nth-child(3) button'));found.second=rows();
press(document.querySelector('th:nth-child(1) button'));found.names=names();
const out=document.createElement('pre');out.id='probe';out.textContent=JSON.stringify(found);document.body.append(out);
</script></body>"""


@pytest.fixture(scope="module")
def drawing():
    entry = GALLERY["multi-head-attention"]
    inputs = entry.inputs(torch.Generator().manual_seed(0))
    return Drawing(trace(entry.make(), *inputs, axes=entry.axes, name=entry.title))


def test_the_table_has_the_costs_of_the_diagram_the_most_expensive_first(drawing, tmp_path):
    text = drawing.save(tmp_path / "page.html").read_text()
    rows = re.findall(r'<tr data-cell="\d+">(.*?)</tr>', text)
    macs = [int(re.findall("<td>(.*?)</td>", row)[2].replace(",", "")) for row in rows]
    assert macs == sorted(macs, reverse=True)
    assert sum(macs) == cost(drawing.diagram).macs == 744_448
    assert not re.findall(r"(?:src|href|@import|url)[=(]", text)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_a_browser_zooms_tells_and_sorts(drawing, tmp_path):
    page = drawing.save(tmp_path / "page.html")
    page.write_text(page.read_text().replace("</body>", PROBE))
    words = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--dump-dom",
        f"--user-data-dir={tmp_path / 'user'}",
    ]
    shown = subprocess.run([*words, page.as_uri()], capture_output=True, text=True, timeout=120, check=True).stdout
    found = json.loads(html.unescape(re.search(r'<pre id="probe">(.*?)</pre>', shown, re.DOTALL)[1]))
    assert found["zoomed"] == pytest.approx(1.4 * found["start"], rel=0.01)
    assert found["wheel"] > found["zoomed"]
    assert found["fitted"] == found["start"]
    assert set(found["chosen"]) == {"0"}
    for line in ("formula: ay,zy->az", "takes: y y=20×m=128", "gives: y=20×64", "163,840 multiply-adds"):
        assert line in found["told"]
    first = [int(n.replace(",", "")) for n in found["first"]]
    second = [int(n.replace(",", "")) for n in found["second"]]
    assert first == sorted(first, reverse=True)
    assert second == sorted(first)
    assert found["names"] == sorted(found["names"])
