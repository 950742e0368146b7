"""What is kept of embedding work: vectors of texts, and texts that wait for theirs."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class EmbeddedText(models.Model):
    """The vector of a text by a model, kept so that the same text costs no model work again.

    No text is stored, only its SHA-256. `model` names whatever can change a vector
    (`vector_cache.model_identity`). `subject` is what the text was first embedded for, such as a
    node: an erase of it forgets the row. `vector` is float32 as the model gave it, unit length.
    """

    pk = models.CompositePrimaryKey("text_sha256", "model")
    text_sha256 = models.BinaryField(max_length=32)
    model = models.CharField(max_length=48)
    subject = models.UUIDField()
    vector = models.BinaryField()
    used_on = models.DateField()

    class Meta:
        verbose_name = _("kept vector")
        verbose_name_plural = _("kept vectors")
        indexes = [
            models.Index(fields=["used_on"], name="embeddedtext_by_day"),  # the sweep
            models.Index(fields=["subject"], name="embeddedtext_by_subject"),  # an erase
        ]

    def __str__(self) -> str:
        return f"{bytes(self.text_sha256).hex()[:12]} by {self.model}"


class ForgottenSubject(models.Model):
    """What was erased lately: a worker that read its text before must not keep the vector."""

    subject = models.UUIDField(primary_key=True)
    forgotten_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("forgotten subject")
        verbose_name_plural = _("forgotten subjects")

    def __str__(self) -> str:
        return str(self.subject)


class WaitingText(models.Model):
    """A text that waits for its vector: batches for a model server are made of many jobs' texts.

    A claim holds until `claimed_until`; what a dead worker had claimed is free again after that.
    """

    pk = models.CompositePrimaryKey("text_sha256", "model")
    text_sha256 = models.BinaryField(max_length=32)
    model = models.CharField(max_length=48)
    subject = models.UUIDField()
    text = models.TextField()
    length = models.PositiveIntegerField()
    claim = models.UUIDField(null=True)
    claimed_until = models.DateTimeField(null=True)
    waits_since = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("waiting text")
        verbose_name_plural = _("waiting texts")
        indexes = [
            models.Index(fields=["model", "length"], name="waitingtext_by_length"),  # a batch
            models.Index(fields=["subject"], name="waitingtext_by_subject"),  # an erase
        ]

    def __str__(self) -> str:
        return f"{self.length} characters for {self.model}"
