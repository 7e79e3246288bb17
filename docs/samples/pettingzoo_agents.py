"""Three agents in one world through PettingZoo."""

from hamlet_trio.world import parallel_env

env = parallel_env(num_agents=3)
observations, infos = env.reset(seed=1)
returns = dict.fromkeys(env.agents, 0.0)
while env.agents:
    actions = {agent: env.action_space(agent).sample() for agent in env.agents}
    observations, rewards, terminations, truncations, infos = env.step(actions)
    for agent, reward in rewards.items():
        returns[agent] += reward
for agent, total in returns.items():
    print(f"{agent}: return {total:.1f}")
