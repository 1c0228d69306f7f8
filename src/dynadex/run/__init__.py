"""The programs: Lambda handlers, worker, refill. Only here and in cli and local are parts wired together."""
