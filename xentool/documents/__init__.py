"""The shapes of all JSON documents that xentool prints or keeps, a module an area.

Law: types alone. Nothing of the program imports these at run time; they are for programs that read the documents
(``document: Report = json.loads(text)``), for ``docs/json.md``, which is made of them, and for the test that holds real
output to them. The comment of a field is what ``docs/json.md`` says of it. Fields may be added to a document, none
dropped or changed: that would be ``/2``.
"""
