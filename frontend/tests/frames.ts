import type { StateUpdate } from '@/protocol/messages'

/** A frame as `/ws` sends it. */
export function update(change: Partial<StateUpdate> & { x?: number; y?: number } = {}): StateUpdate {
  const { x = 4, y = 4, ...fields } = change
  const lastAction = (['up', 'down', 'left', 'right', 'interact'] as const)[fields.action ?? 0] ?? 'up'
  return {
    type: 'state_update',
    step: 1,
    action: 0,
    reward: 0.5,
    cumulative_reward: 1.5,
    done: false,
    grid: {
      width: 8,
      height: 8,
      agents: [{ id: 'agent_0', x, y, color: '#2f6fed', last_action: lastAction }],
      affordances: [
        { type: 'Bed', x: 1, y: 1, qualifier: '' },
        { type: 'Bar', x: 7, y: 0, qualifier: '' },
      ],
    },
    agents: {
      agent_0: {
        meters: { energy: 0.9, hygiene: 0.4, satiation: 0.2, money: 50, mood: 75, social: 0.5 },
        last_action: lastAction,
        reward: 0.5,
      },
    },
    info: { step: fields.step ?? 1, failure_reason: null },
    episode: 1,
    heat_map: { '4,4': 1 },
    ...fields,
  }
}
