-- Erasures, their reach and their receipts; what alone may remove what was said.
SELECT 1;
