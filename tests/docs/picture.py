"""Draw the README's picture: the report on a capture as a terminal shows it.

python -m tests.docs.picture demo/domU.xentrace domU docs/trace.svg
"""

import io
import sys
from pathlib import Path

from rich.console import Console

from traces.analyses.select import of_domain
from traces.exporters import text
from xentool.tools.tracing import reports, sidecar

COLUMNS = 92


def main() -> None:
    capture, domain, target = sys.argv[1:]
    path = Path(capture)
    with reports.opened(path) as source:
        report = reports.report(source, capture, capture=sidecar.read(path))
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, highlight=False)
    console.print(f"$ xentool trace {domain} -d {report.span_s:.0f}\n", style="bold")
    text.write(of_domain(report, reports.domid_of(report, domain)), console)
    # rich's picture would fetch its font from the net; any monospaced one will do.
    svg = console.export_svg(title="xentool", unique_id="trace")
    fonts = svg.find("@font-face"), svg.rfind("@font-face")
    end = svg.find("}", fonts[1]) + 1
    Path(target).write_text(svg[: fonts[0]] + svg[end:])


if __name__ == "__main__":
    main()
