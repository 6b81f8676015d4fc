"""What a backup is, apart from where the service runs: its folder, its payloads, and the ledger of erasures beside it.
Taking one and putting one back is `memos.embedded.backup` and `memos.embedded.restore`.
"""
