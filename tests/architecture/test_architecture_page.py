"""ARCHITECTURE.md draws the graphs that are compiled, edge for edge."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from pipeline.case_graph import build_case_graph
from pipeline.cycle_graph import build_cycle_graph

PAGE = Path(__file__).resolve().parents[2] / "ARCHITECTURE.md"


def drawn() -> list[set[tuple[str, str]]]:
    """Edges of each flowchart on the page, in order."""
    charts = re.findall(r"```mermaid\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    edges = []
    for chart in charts:
        found: set[tuple[str, str]] = set()
        for line in chart.splitlines():
            names = [part.strip() for part in line.split("-->")]
            found |= set(itertools.pairwise(names))
        edges.append(found)
    return edges


def compiled(graph: object) -> set[tuple[str, str]]:
    drawable = graph.get_graph()  # type: ignore[attr-defined]
    return {(edge.source, edge.target) for edge in drawable.edges}


def test_the_page_shows_the_cycle_and_the_case_as_they_are_compiled() -> None:
    assert drawn() == [compiled(build_cycle_graph()), compiled(build_case_graph())]
