-- The W3C traceparent of what recorded a job, if traces are configured: so a job shows in the trace of the request that
-- caused it, though nothing but ids travels in its message. Two random numbers, and nothing else fits in.
ALTER TABLE outbox ADD COLUMN traceparent text
  CHECK (traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$');
