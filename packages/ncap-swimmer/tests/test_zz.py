import time, pytest
from ncap_swimmer import cli
from ncap_swimmer.paper import PAPER
from separata import cli as core
C=[cli.train, cli.evaluate, cli.trace, cli.export, cli.render]
def test_x(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out=[]
    def go(*a):
        t=time.process_time(); core.main(PAPER, C, list(a)); out.append((a[:2], round(time.process_time()-t,2)))
    monkeypatch.setattr("ncap_swimmer.environments.EPISODE_STEPS", 50)
    T=("--n-links", "3", "--steps", "200", "--population", "2", "--test-every", "100", "--test-episodes", "1")
    go("train","--out","r",*T); go("train","--out","r2",*T)
    monkeypatch.undo(); monkeypatch.chdir(tmp_path)
    for _ in range(2):
        go("evaluate","r","--n-links","5","--episodes","1")
        go("trace","r","--plot","--out","t.npz")
        go("export","r","--out","p.onnx")
        go("export","r","--out","p.onnx","--phase","dorsal")
    print(out)
