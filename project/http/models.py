"""Stored answers of requests that carried an idempotency key."""

from django.db import models


class IdempotencyRecord(models.Model):
    """What a caller's key stands for: the request's digest and, once there, its answer."""

    actor = models.CharField(max_length=80)
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    content_type = models.CharField(max_length=100, blank=True)
    body = models.BinaryField(default=b"")
    created_at = models.DateTimeField(auto_now_add=True)
    locked_until = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["actor", "key"], name="one_answer_a_key_and_actor")
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_by_age")]  # the clean-up

    def __str__(self) -> str:
        return f"{self.actor} {self.key}"
