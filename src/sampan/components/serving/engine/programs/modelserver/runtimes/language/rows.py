"""One text that is being written: which token comes next, its words, when it is done. Driven by `steps` and `whole`.

Called from the thread that generates; what it says goes to whoever waits through `say`. Penalties are OpenAI's (logits
less frequency times count, less presence if there at all), and CTRL's for repetition (Keskar et al. 2019, section
4.1); the nucleus is that of Holtzman et al. 2020, section 3.1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sampan.components.serving.engine.programs.modelserver.runtimes.language.guiding import Guided
from sampan.components.serving.engine.programs.modelserver.runtimes.language.texts import Stopping, Unrolling
from sampan.components.serving.engine.programs.modelserver.runtimes.language.wishes import Wish

STOP, LENGTH = "stop", "length"


@dataclass(frozen=True, slots=True)
class Chance:
    """A token, and how likely it was before anything was changed about the likelihoods."""

    token: int
    logprob: float | None
    top: tuple[tuple[int, float], ...] = ()
    rank: int = 1
    """1 for the likeliest."""


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    chances: tuple[Chance, ...] = ()
    tokens: int = 0
    finish: str | None = None
    """`stop` or `length` with the last piece."""
    stopped_by: str | int | None = None
    """The text or the token of the request's own that ended it."""
    thought: str = ""
    """What the model thinks, where that is told apart."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """A wish, with what the model's configuration says where it says nothing."""

    temperature: float = 0.0
    """0 takes the likeliest."""
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0


@dataclass(slots=True)
class Row:
    torch: Any
    prompt: Sequence[int]
    wish: Wish
    sampling: Sampling
    ends: frozenset[int]
    limit: int
    """Of tokens."""
    decode: Callable[[Sequence[int]], str]
    say: Callable[[Piece | BaseException], None]
    reads_along: bool = True
    """The prompt is part of the text, so that words of it count as repeated."""
    guided: Guided | None = None
    """The text is to have a form."""
    is_cancelled: bool = False
    finish: str | None = None
    stopped_by: str | int | None = None
    tokens: list[int] = field(default_factory=list)
    _counts: Counter[int] = field(default_factory=Counter)
    _chances: list[Chance] = field(default_factory=list)
    _said: int = 0
    _random: Any = None
    _unrolling: Any = None
    _stopping: Any = None

    def __post_init__(self) -> None:
        self._unrolling = Unrolling(self.decode)
        self._stopping = Stopping(self.wish.stop, keeps=self.wish.keeps_stop)
        self._random = self.torch.Generator()
        if self.wish.seed is not None:
            self._random.manual_seed(self.wish.seed & 0xFFFF_FFFF_FFFF_FFFF)
        else:
            self._random.seed()

    @property
    def is_over(self) -> bool:
        return self.is_cancelled or self.finish is not None

    def choose(self, logits: Any) -> int:
        """The next token, of the likelihoods of all."""
        logits = logits.detach().float().cpu()
        changed = self._changed(logits)
        token = self._guided(self.guided, changed) if self.guided is not None else self._picked(changed)
        if self.wish.top_logprobs is not None:
            self._chances.append(chance_of(self.torch, logits, token, self.wish.top_logprobs))
        return token

    def accept(self, token: int) -> None:
        """It is part of the text."""
        self.tokens.append(token)
        self._counts[token] += 1
        if self.guided is not None:
            self.guided.take(token)
        if token in self.ends:
            self.stopped_by = token if token in self.wish.stop_tokens else None
            self._end(STOP)
            return
        new = self._unrolling.add(token)
        if self.guided is not None:
            self.guided.hear(new)
        text = self._stopping.add(new)
        if self._stopping.met:
            self.finish, self.stopped_by = STOP, self._stopping.met
            self._tell(text)
        elif self.guided is not None and self.guided.is_over:
            self._end(STOP, text)
        elif len(self.tokens) >= self.limit:
            self._end(LENGTH, text)
        else:
            # Each token is told of, though half a letter says nothing: clients count them.
            self._tell(text)

    def end(self, finish: str) -> None:
        """Of itself: there is no more."""
        if not self.is_over:
            self._end(finish)

    def fail(self, problem: BaseException) -> None:
        self.is_cancelled = True
        self.say(problem)

    def _end(self, finish: str, text: str = "") -> None:
        self.finish = finish
        text += self._stopping.add(self._unrolling.rest())
        if self._stopping.met:
            self.finish, self.stopped_by = STOP, self._stopping.met
        self._tell(text + self._stopping.rest())

    def _tell(self, text: str) -> None:
        chances, self._chances = tuple(self._chances), []
        new, self._said = len(self.tokens) - self._said, len(self.tokens)
        self.say(Piece(text, chances, new, self.finish, self.stopped_by))

    def _changed(self, logits: Any) -> Any:
        wish, torch = self.wish, self.torch
        is_early = len(self.tokens) < wish.min_tokens and self.guided is None
        too_early = self.ends if is_early else ()
        repeats = self.sampling.repetition_penalty
        has_penalties = wish.frequency_penalty or wish.presence_penalty
        if not (too_early or wish.bias or repeats != 1.0 or (has_penalties and self._counts)):
            return logits
        logits = logits.clone()
        known = {*self.tokens, *(self.prompt if self.reads_along else ())}
        if repeats != 1.0 and known:
            seen = torch.tensor(sorted(known))
            own = logits[seen]
            logits[seen] = torch.where(own < 0, own * repeats, own / repeats)
        if has_penalties:
            for token, count in self._counts.items():
                logits[token] -= wish.frequency_penalty * count + wish.presence_penalty
        for token, value in wish.bias.items():
            if token < len(logits):
                logits[token] += value
        for token in too_early:
            logits[token] = -float("inf")
        return logits

    def _guided(self, guided: Guided, logits: Any) -> int:
        if guided.thinks:
            token = self._picked(logits)
            if guided.is_free(self.decode([token])):
                return token
        return self._picked(guided.allowed(self.torch, logits))

    def _picked(self, logits: Any) -> int:
        return self._sampled(logits) if self.sampling.temperature else int(logits.argmax())

    def _sampled(self, logits: Any) -> int:
        torch, how = self.torch, self.sampling
        logits = logits / how.temperature
        if 0 < how.top_k < len(logits):
            least = torch.topk(logits, how.top_k).values[-1]
            logits = logits.masked_fill(logits < least, -float("inf"))
        shares = torch.softmax(logits, dim=-1)
        if how.top_p < 1.0:
            ordered, places = torch.sort(shares, descending=True)
            # The likeliest one stays, whatever the bound.
            outside = ordered.cumsum(dim=-1) - ordered >= how.top_p
            outside[0] = False
            shares[places[outside]] = 0.0
        if how.min_p:
            shares[shares < how.min_p * shares.max()] = 0.0
        return int(torch.multinomial(shares, 1, generator=self._random))


def chance_of(torch: Any, logits: Any, token: int, top: int) -> Chance:
    logs = torch.log_softmax(logits, dim=-1)
    best = torch.topk(logs, min(top, len(logs))) if top else None
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True) if best is not None else ()
    rank = int((logs > logs[token]).sum()) + 1
    return Chance(token, float(logs[token]), tuple(pairs), rank)
