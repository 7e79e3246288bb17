import { shallowRef } from 'vue'

import { AGENT_IDS, type AgentId } from '@/company/agents'
import type { EpisodeEnd, InferenceCommand, SetWorld } from '@/protocol/messages'
import type { FrameFeed } from '@/session/feed'
import type { DesiredState } from '@/session/state'

/** How an episode ended, of several agents for the one that was followed. */
export type LifeEnd = EpisodeEnd & { agent?: AgentId }

type Desired = Pick<DesiredState, 'agents' | 'contention' | 'model'>

/** Hold which agents live together in a session, which model plays each of them, and which one the page follows. */
export class Company {
  /** Number of agents in the episode on screen. */
  readonly count = shallowRef(1)
  /** File name of each agent's model, by its id; empty for a single agent. */
  readonly models = shallowRef<Readonly<Record<string, string | null>>>({})
  /** Agent that the person plays, where one of several is played. */
  readonly person = shallowRef<AgentId | null>(null)
  /** Models that were chosen for single agents, by their ids: for another connection. */
  private casts = new Map<AgentId, string>()

  constructor(
    private readonly send: (command: InferenceCommand) => boolean,
    private readonly feed: FrameFeed,
    private readonly desired: Desired,
  ) {}

  /** What `set_world` takes of the choice; what was not chosen is as the world says. */
  get fields(): Pick<SetWorld, 'num_agents' | 'contention'> {
    const { agents, contention } = this.desired
    return { ...(agents !== null && { num_agents: agents }), ...(contention !== null && { contention }) }
  }

  get followed(): AgentId {
    return this.feed.followed.value as AgentId
  }

  /** Let so many agents live together from a new episode on; null: one, whom every place serves. */
  choose(agents: number | null, contention: boolean | null): void {
    Object.assign(this.desired, { agents, contention })
    this.send({ command: 'set_world', num_agents: agents ?? 1, contention: contention ?? false })
  }

  /** Let one of them be played by a model of its own. */
  cast(agent: AgentId, model: string): void {
    this.casts.set(agent, model)
    this.send({ command: 'load_model', model, agent })
  }

  /** The models that were chosen for single agents, in the order of their letters. */
  get chosen(): (string | null)[] {
    return AGENT_IDS.slice(0, this.count.value).map((id) => this.casts.get(id) ?? null)
  }

  /** Let single agents be played by these models from the first connection on. */
  plan(models: readonly (string | null)[]): void {
    models.forEach((model, index) => {
      const agent = AGENT_IDS[index]
      if (agent !== undefined && model !== null) this.casts.set(agent, model)
    })
  }

  /** One model is to play them all. */
  forgetCasts(): void {
    this.casts.clear()
  }

  /** Show the figures, the values and the life of one of them. */
  follow(agent: AgentId): void {
    if (agent === this.followed) return
    this.feed.follow(agent)
    this.send({ command: 'set_view', agent })
    this.send({ command: 'get_life' })
  }

  /** Bring a new connection, whose world has these agents by now, to the models and the agent chosen on the last one. */
  restore(): void {
    if ((this.desired.agents ?? 1) === 1) return
    for (const [agent, model] of this.casts) this.send({ command: 'load_model', model, agent })
    if (this.followed !== 'agent_0') this.send({ command: 'set_view', agent: this.followed })
  }

  /** An episode with so many agents begins, or is shown. */
  begun({ num_agents: count, models }: { num_agents: number; models?: Record<string, string | null> }): void {
    this.count.value = count
    if (count === 1) this.models.value = {}
    else if (models !== undefined) this.models.value = models
    if (AGENT_IDS.indexOf(this.followed) >= count) this.feed.follow('agent_0')
  }

  /** Return how an episode ended for the agent that is followed. */
  endOf(end: EpisodeEnd): LifeEnd {
    const result = end.agents?.[this.followed]
    if (result === undefined) return end
    const { steps, total_reward, failure_reason } = result
    const lived = end.reason === 'meter_depleted' ? 'max_steps' : end.reason
    return { ...end, agent: this.followed, steps, total_reward, failure_reason, reason: failure_reason === null ? lived : 'meter_depleted' }
  }
}
