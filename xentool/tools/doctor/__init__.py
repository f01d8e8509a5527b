"""What works on a host and what is missing: facts (``facts.sh``, read by ``facts``), judged by a table (``checks``)."""
