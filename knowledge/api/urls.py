"""REST addresses of knowledge."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from knowledge.api.chunk_preview import ChunkPreviewView
from knowledge.api.evaluations import EvaluationViewSet, GoldenQuestionViewSet
from knowledge.api.feeds import (
    ConnectorViewSet,
    FeedRunViewSet,
    FeedViewSet,
    ImportViewSet,
)
from knowledge.api.generations import IndexGenerationViewSet
from knowledge.api.jobs import JobViewSet
from knowledge.api.kinds import KindMigrationViewSet, KindViewSet
from knowledge.api.nodes import NodeViewSet
from knowledge.api.profiles import ProfileViewSet
from knowledge.api.proposals import ProposalViewSet
from knowledge.api.relations import RelationViewSet
from knowledge.api.releases import ReleaseViewSet
from knowledge.api.search import SearchView
from knowledge.api.sources import SourceViewSet, UploadViewSet
from knowledge.api.spaces import SpaceViewSet
from knowledge.api.suggestions import SuggestionViewSet
from knowledge.api.synthesis import SynthesisView
from knowledge.api.why import WhyNotView

router = SimpleRouter()
router.register("spaces", SpaceViewSet, "space")
router.register("nodes", NodeViewSet, "node")
router.register("relations", RelationViewSet, "relation")
router.register("relation-suggestions", SuggestionViewSet, "relation-suggestion")
router.register("proposals", ProposalViewSet, "proposal")
router.register("releases", ReleaseViewSet, "release")
router.register("uploads", UploadViewSet, "upload")
router.register("sources", SourceViewSet, "source")
router.register("imports", ImportViewSet, "import")
router.register("feeds", FeedViewSet, "feed")
router.register("feed-runs", FeedRunViewSet, "feed-run")
router.register("connectors", ConnectorViewSet, "connector")
router.register("jobs", JobViewSet, "job")
router.register("kinds", KindViewSet, "kind")
router.register("kind-migrations", KindMigrationViewSet, "kind-migration")
router.register("index-generations", IndexGenerationViewSet, "index-generation")
router.register("golden-questions", GoldenQuestionViewSet, "golden-question")
router.register("evaluations", EvaluationViewSet, "evaluation")
router.register("retrieval-profiles", ProfileViewSet, "retrieval-profile")

urlpatterns = [
    *router.urls,
    path("chunk-preview/", ChunkPreviewView.as_view(), name="chunk-preview"),
    path("search/", SearchView.as_view(), name="search"),
    path("synthesis/", SynthesisView.as_view(), name="synthesis"),
    path("search/why-not/", WhyNotView.as_view(), name="search-why-not"),
]
