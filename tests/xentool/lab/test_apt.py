from xentool.lab import apt

DEB822 = """\
Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


def test_deb822() -> None:
    found = apt.read([DEB822])
    assert found == apt.Mirrors("http://mirror.example/debian", "http://mirror.example/debian-security")
    assert apt.lines(found, "trixie") == [
        "deb http://mirror.example/debian trixie main",
        "deb http://mirror.example/debian trixie-updates main",
        "deb http://mirror.example/debian-security trixie-security main",
    ]


def test_one_line_style() -> None:
    text = (
        "# deb http://no.example/debian bookworm main\ndeb [arch=amd64] http://a.example/debian/ stable main contrib\n"
    )
    assert apt.read([text]) == apt.Mirrors("http://a.example/debian/", None)


def test_other_vendors_and_other_systems_are_passed_over() -> None:
    others = [
        "deb https://tools.example bookworm main\n",
        "deb http://archive.example/ubuntu noble main\n",
        "Types: deb-src\nURIs: http://a.example/debian\nSuites: bookworm\nComponents: main\n",
        "Enabled: no\nTypes: deb\nURIs: http://a.example/debian\nSuites: bookworm\nComponents: main\n",
    ]
    assert apt.read(others) == apt.Mirrors(None, None)
    assert apt.lines(apt.Mirrors(None, None), "bookworm") == []
