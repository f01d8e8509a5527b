from tests.docs import conformance


def test_the_page_of_all_cases_is_made_of_them() -> None:
    assert conformance.PAGE.read_text() == conformance.page(), "python -m tests.docs.conformance writes it"
