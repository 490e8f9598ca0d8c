"""What a training asks of who plays, and who has it."""

from __future__ import annotations

import inspect

import pytest
from agents_at_work import agent_with
from test_tabular_agent import agent_of

from qmap.agents.agent import Agent
from qmap.agents.trainable import TrainableAgent
from qmap.tabular.agent import TabularAgent

ASKED = {name for name in vars(TrainableAgent) if not name.startswith("_")}


@pytest.mark.parametrize("agent", [agent_with(), agent_of()], ids=["networks", "table"])
def test_who_plays_has_all_that_a_training_asks_for(agent: Agent | TabularAgent) -> None:
    attributes = set(TrainableAgent.__annotations__)
    assert {"settings", "act", "q_map_in_use"} <= ASKED | attributes
    assert [name for name in ASKED | attributes if not hasattr(agent, name)] == []
    for name in ASKED:
        asked = getattr(TrainableAgent, name)
        if inspect.isfunction(asked):
            given = inspect.signature(getattr(agent, name)).parameters
            assert list(given) == list(inspect.signature(asked).parameters)[1:]
