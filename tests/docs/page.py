"""Draw the README's picture of a page: the top of `xentool report --html` as a browser shows it.

python -m tests.docs.page demo/domU.html docs/report.png
"""

import sys
from base64 import b64decode
from pathlib import Path

from tests.browser import Browser

HEIGHT = 1270


def main() -> None:
    page, target = map(Path, sys.argv[1:])
    with Browser() as browser:
        browser.call("Emulation.setScrollbarsHidden", hidden=True)
        browser.open(page, height=HEIGHT)
        target.write_bytes(b64decode(browser.call("Page.captureScreenshot")["data"]))


if __name__ == "__main__":
    main()
