"""Inside of `ledger`: the measures, the pages and workbooks they fill, and what changed since an earlier run."""
