"""Textual's style sheets, which match each rule with each widget once for all applications of a process.

A fifth of a test's time goes into that, and a test opens the same screens as the one before it. Which rules a
widget gets depends on the types, names and classes on the way to it, and on the few pseudo-classes that the
rules ask of these. What Textual itself finds for them is kept. `test_quick_styles` holds that it is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from operator import is_
from typing import Any, Final, NamedTuple, TypeAlias

import textual.css.query
import textual.dom
import textual.message_pump
from textual.css.match import _check_selectors
from textual.css.model import CombinatorType, RuleSet, SelectorSet
from textual.css.styles import RulesMap
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode

_Way: TypeAlias = tuple[tuple[type[DOMNode], str | None, frozenset[str]], ...]
"""The nodes from the application to a widget, by what of them does not pass."""


class _Applicable(NamedTuple):
    """What some rules make of all widgets at the end of one way."""

    rules: tuple[tuple[RuleSet, ...], ...]  # as long as they are kept, no others have their identities
    conditions: tuple[tuple[int, set[str]], ...]  # pseudo-classes that a node on the way may have to have
    flags: tuple[bool, bool, bool, bool]
    found: dict[tuple[bool, ...], RulesMap]


class _Sheet(NamedTuple):
    """What is known of one list of rules; as long as that is kept, the names of its rules stay unique."""

    rules: list[RuleSet]
    ways: dict[_Way, _Applicable]


_apply_alone: Final = Stylesheet.apply
_components_alone: Final = Stylesheet._process_component_classes
_replace_alone: Final = Stylesheet.replace_rules.__func__  # type: ignore[attr-defined]
_sheets: Final[dict[tuple[int, ...], _Sheet]] = {}
_applicable: Final[dict[tuple[_Way, tuple[tuple[int, ...], ...]], _Applicable]] = {}
"""By the rules that may apply: each kind of widget that is new to an application adds rules of its own."""
_fresh: Final[dict[int, tuple[RulesMap, dict[str, Any]]]] = {}
"""What becomes of a widget's own rules when it gets its first ones, by which these are."""
_parts: Final[dict[str, DOMNode]] = {}
"""A node for each class of a part of a widget, to ask what applies to it there."""


def make_styles_quick() -> None:
    """Change Textual for all tests of this process."""
    for module in (textual.css.query, textual.dom, textual.message_pump):
        module.match = _match  # type: ignore[attr-defined]
    Stylesheet.apply = _apply  # type: ignore[assignment,method-assign]
    Stylesheet._process_component_classes = _apply_to_components  # type: ignore[assignment,method-assign]
    Stylesheet.replace_rules = classmethod(_replace)  # type: ignore[assignment,method-assign]


@contextmanager
def styles_of_textual() -> Iterator[None]:
    """Have Textual find styles by itself until the end of the block."""
    Stylesheet.apply = _apply_alone  # type: ignore[method-assign]
    Stylesheet._process_component_classes = _components_alone  # type: ignore[method-assign]
    Stylesheet.replace_rules = classmethod(_replace_alone)  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        make_styles_quick()


def _apply(
    stylesheet: Stylesheet,
    node: DOMNode,
    *,
    animate: bool = False,
    cache: dict[tuple[Any, ...], RulesMap] | None = None,
) -> None:  # in place of Stylesheet.apply
    del cache
    sheet = _sheet(stylesheet)
    applicable, rules = _rules_of(stylesheet, sheet, node.css_path_nodes)
    (node._has_hover_style, node._has_focus_within, node._has_order_style, node._has_odd_or_even) = (
        applicable.flags
    )
    if rules:
        stylesheet.replace_rules(node, rules, animate=animate)
    stylesheet._process_component_classes(node)


def _match(selector_sets: Iterable[SelectorSet], node: DOMNode) -> bool:
    """In place of `textual.css.match.match`: most queries ask for one class, and nothing of the way to it."""
    for selector_set in selector_sets:
        selectors = selector_set.selectors
        if len(selectors) == 1 and selectors[0].combinator is CombinatorType.DESCENDENT:
            if selectors[0].check(node):
                return True
        elif _check_selectors(selectors, node.css_path_nodes):
            return True
    return False


def _rules_of(stylesheet: Stylesheet, sheet: _Sheet, nodes: list[DOMNode]) -> tuple[_Applicable, RulesMap]:
    """The rules for the last of these nodes, each of which is in the one before it."""
    way = tuple([(type(node), node._id, frozenset(node._classes)) for node in nodes])
    applicable = sheet.ways.get(way)
    if applicable is None:
        applicable = sheet.ways[way] = _find(stylesheet, way, nodes)
    met = _met(applicable, nodes)
    rules = applicable.found.get(met)
    if rules is None:
        _, rules = _computed(stylesheet, nodes)
        applicable.found[met] = rules
    return applicable, rules


def _met(applicable: _Applicable, nodes: list[DOMNode]) -> tuple[bool, ...]:
    return tuple([nodes[index].has_pseudo_classes(names) for index, names in applicable.conditions])


def _sheet(stylesheet: Stylesheet) -> _Sheet:
    rules = stylesheet.rules
    sheet: _Sheet | None = stylesheet.__dict__.get("_quick")
    if sheet is None or sheet.rules is not rules:
        key = tuple(map(id, rules))
        sheet = _sheets.setdefault(key, _Sheet(rules, {}))
        # Another list of the same rules.
        sheet = stylesheet.__dict__["_quick"] = sheet._replace(rules=rules)
    return sheet


def _find(stylesheet: Stylesheet, way: _Way, nodes: list[DOMNode]) -> _Applicable:
    names = sorted(stylesheet.rules_map.keys() & nodes[-1]._selector_names)
    rules = tuple([tuple(stylesheet.rules_map[name]) for name in names])
    key = way, tuple([tuple(map(id, those)) for those in rules])
    found = _applicable.get(key)
    if found is None:
        flags, first = _computed(stylesheet, nodes)
        found = _applicable[key] = _Applicable(rules, _conditions(rules, nodes), flags, {})
        found.found[_met(found, nodes)] = first
    return found


def _conditions(
    rules: tuple[tuple[RuleSet, ...], ...], nodes: list[DOMNode]
) -> tuple[tuple[int, set[str]], ...]:
    """Each question for pseudo-classes that any of these rules for the last of the nodes may ask."""
    found: dict[tuple[int, frozenset[str]], set[str]] = {}
    for those in rules:
        for rule in those:
            for selectors in rule.selector_set:
                for selector in selectors.selectors:
                    names = selector.pseudo_classes
                    for index, node in enumerate(nodes) if names else ():
                        if selector._check(node):
                            found[index, frozenset(names)] = names
    return tuple((index, names) for (index, _), names in found.items())


def _computed(stylesheet: Stylesheet, nodes: list[DOMNode]) -> tuple[tuple[bool, bool, bool, bool], RulesMap]:
    """The flags and the rules for the last of these nodes, as Textual itself finds them."""
    node = nodes[-1]
    found: list[RulesMap] = []

    def take(_node: DOMNode, rules: RulesMap, *, animate: bool) -> None:  # noqa: ARG001
        found.append(rules)

    ours: dict[str, Callable[..., None]] = {
        "replace_rules": take,
        "_process_component_classes": lambda _node: None,
    }
    stylesheet.__dict__.update(ours)
    try:
        _apply_alone(stylesheet, node)
    finally:
        for name in ours:
            del stylesheet.__dict__[name]
    flags = (node._has_hover_style, node._has_focus_within, node._has_order_style, node._has_odd_or_even)
    return flags, found[0] if found else {}


def _replace(cls: type[Stylesheet], node: DOMNode, rules: RulesMap, animate: bool = False) -> None:
    """Give a node its rules; one that has the same already keeps them, as setting them again would."""
    base: Any = node.styles.base
    last = node.__dict__.get("_quick")
    if last is not None and last[0] is rules and last[1] == base._updates:
        node.notify_style_update()
        return
    fresh = _fresh.get(id(rules))
    if animate and rules.get("transitions"):
        _replace_alone(cls, node, rules, animate)
    elif base._rules or node._is_mounted:
        before, new = base._rules, rules.get
        for key in before.keys() | rules.keys():
            value = new(key)
            if before.get(key) is not value:
                setattr(base, key, value)
        node.notify_style_update()
    elif fresh is not None and fresh[0] is rules:
        base._rules.update(fresh[1])
        base._updates += 1
        node.notify_style_update()
    else:
        _replace_alone(cls, node, rules, animate)
        _fresh[id(rules)] = (rules, dict(base._rules))
    node.__dict__["_quick"] = (rules, base._updates)


def _apply_to_components(stylesheet: Stylesheet, node: DOMNode) -> None:
    """Have styles for the parts of a widget, anew if others apply."""
    names = sorted(node._get_component_classes())
    if not names:
        return
    sheet, nodes = _sheet(stylesheet), node.css_path_nodes
    rules = []
    for name in names:
        part = _parts.get(name) or _parts.setdefault(name, DOMNode(classes=name))
        part._parent = node
        rules.append(_rules_of(stylesheet, sheet, [*nodes, part])[1])
        part._parent = None
    before = node._component_styles.copy()
    last = node.__dict__.get("_quick_parts", ())
    if len(before) == len(names) and len(last) == len(names) and all(map(is_, last, rules)):
        return
    node._component_styles.clear()
    changed = False
    for name, those in zip(names, rules, strict=True):
        part = DOMNode(classes=name)
        part._attach(node)
        stylesheet.replace_rules(part, those)
        changed = changed or before.get(name) != part.styles
        node._component_styles[name] = part.styles
    node.__dict__["_quick_parts"] = rules
    if changed:
        node.refresh()
