// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import type { EpisodeComplete, TrainingStatus } from '@/protocol/messages'
import { EpisodeSeries } from '@/train/series'
import { nextPace } from '@/train/pace'
import { durationText } from '@/train/timeleft'
import { eventText } from '@/train/events'
import { TrainingRun } from '@/train/run'
import examples from './compact.json'
import { SocketDouble } from './socket-double'

function record(episode: number, change: Partial<EpisodeComplete> = {}): EpisodeComplete {
  return {
    type: 'episode_complete', episode, reward: -10, length: 76, loss: 0.5, epsilon: 0.9, avg_reward_5: -11,
    avg_length_5: 75, avg_loss_5: 0.4, buffer_size: 76 * episode, failure_reason: 'mood_depleted',
    steps_per_second: 76, q_value: 1.5, ...change,
  }
}

function status(change: Partial<TrainingStatus> = {}): TrainingStatus {
  return {
    type: 'training_status', is_training: true, current_episode: 1, total_episodes: 100, state: 'running',
    parameters: null, viewers: 1, run_id: 'run-1', reason: null, resumable: [], ...change,
  }
}

describe('EpisodeSeries', () => {
  it('stays bounded, evenly thinned, and always ends with the newest', () => {
    const series = new EpisodeSeries<{ episode: number }>(100)
    for (let episode = 1; episode <= 1000; episode++) {
      series.add({ episode })
      expect(series.items.length).toBeLessThanOrEqual(101)
      expect(series.items.at(-1)?.episode).toBe(episode)
    }
    const gaps = series.items.slice(1, -1).map((item, index) => item.episode - (series.items[index]?.episode ?? 0))
    expect(new Set(gaps).size).toBe(1)
    expect(series.items[0]?.episode).toBe(1)
  })

  it('lets a resumed run repeat its episodes', () => {
    const series = new EpisodeSeries<{ episode: number; again?: boolean }>()
    for (let episode = 1; episode <= 20; episode++) series.add({ episode })
    series.add({ episode: 11, again: true })
    expect(series.items).toHaveLength(11)
    expect(series.newest).toEqual({ episode: 11, again: true })
  })

  it('gives another array each time, so that whoever watches notices', () => {
    const series = new EpisodeSeries<{ episode: number }>()
    series.add({ episode: 1 })
    const before = series.items
    series.add({ episode: 2 })
    expect(series.items).not.toBe(before)
    expect(before).toHaveLength(1)
  })
})

it('says a duration as people do', () => {
  expect([3, 31, 61, 600, 4000].map(durationText)).toEqual([
    'a few seconds', '30 seconds', '1 minute', '10 minutes', '1 h 7 min',
  ])
})

describe('nextPace', () => {
  it('offers the next pace in either direction, also from one of the form', () => {
    expect(nextPace(0.05, 1)).toBe(0.02)
    expect(nextPace(0.05, -1)).toBe(0.1)
    expect(nextPace(0.3, 1)).toBe(0.2)
    expect(nextPace(0.3, -1)).toBe(0.5)
    expect([nextPace(0.02, 1), nextPace(0, 1), nextPace(10, -1)]).toEqual([null, null, null])
    expect(nextPace(0, -1)).toBe(0.02)
  })
})

describe('TrainingRun', () => {
  const saved = vi.fn()

  beforeEach(() => {
    vi.useFakeTimers()
    SocketDouble.install()
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })

  it('shows the whole of a run to a late viewer', () => {
    const run = new TrainingRun({ saved }, 'ws://x/ws/training')
    const socket = SocketDouble.newest
    socket.receive(status({ current_episode: 41 }))
    socket.receive({ type: 'training_history', total: 40, episodes: Array.from({ length: 40 }, (_, index) => record(index + 1)) })
    socket.receive(record(41))
    vi.advanceTimersByTime(500)
    expect(run.episodes.value).toHaveLength(41)
    socket.receive({ type: 'training_forecast', seconds_left: 59 })
    expect(run.state.secondsLeft).toBe(59)
    socket.receive(status({ state: 'idle', is_training: false }))
    expect(run.state.secondsLeft).toBeNull()
    run.close()
  })

  it('asks each connection for compact frames, and shows what they stand for', () => {
    const run = new TrainingRun({ saved }, 'ws://x/ws/training')
    SocketDouble.newest.receive(status())
    SocketDouble.newest.receive(status())
    for (const frame of examples[2]?.sent ?? []) SocketDouble.newest.receive(frame)
    expect(run.feed.frame).toMatchObject({ step: 3, agents: [{ x: 5, y: 4, last_action: 'interact' }] })
    const first = SocketDouble.newest
    first.drop()
    vi.advanceTimersByTime(20_000)
    SocketDouble.newest.receive(status())
    expect([first.compact, SocketDouble.newest.compact]).toEqual([1, 1])
    expect(SocketDouble.newest).not.toBe(first)
    run.close()
  })

  it('begins anew with another run and goes on with the same', () => {
    const run = new TrainingRun({ saved }, 'ws://x/ws/training')
    const socket = SocketDouble.newest
    socket.receive(status())
    socket.receive(record(1))
    socket.receive(record(2))
    socket.receive({ type: 'training_failed', reason: 'The trainer was killed.', model_saved: null, restart: true })
    socket.receive(status({ state: 'starting' }))
    socket.receive(record(3))
    vi.advanceTimersByTime(500)
    expect(run.episodes.value).toHaveLength(3)
    expect(run.events.map(({ kind }) => kind)).toEqual(['failed'])
    socket.receive(status({ current_episode: 3 }))
    socket.receive(status({ current_episode: 3, viewers: 2 }))
    expect(run.events.map(({ kind }) => kind)).toEqual(['resumed', 'failed'])
    socket.receive(status({ run_id: 'run-2' }))
    vi.advanceTimersByTime(500)
    expect(run.episodes.value).toHaveLength(0)
    run.close()
  })

  it('keeps what happened, newest first', () => {
    const run = new TrainingRun({ saved }, 'ws://x/ws/training')
    const socket = SocketDouble.newest
    socket.receive(status())
    socket.receive({ type: 'paused', episode: 3, step: 12 })
    socket.receive({ type: 'resumed', episode: 3, step: 12 })
    socket.receive({ type: 'checkpoint_saved', model: 'trained_agent.pt', episode: 50 })
    expect(run.events.map((event) => event.kind)).toEqual(['saved', 'resumed', 'paused'])
    expect(run.events.slice(0, 1).map(eventText)).toEqual(['Trained agent, after episode 50'])
    expect(saved).toHaveBeenCalledOnce()
    run.close()
  })

  it('tells a late viewer what happened, and what the last run saved', () => {
    const run = new TrainingRun({ saved }, 'ws://x/ws/training')
    const socket = SocketDouble.newest
    socket.receive({ type: 'paused', episode: 1, step: 1 })
    socket.receive(status({ state: 'idle', is_training: false }))
    socket.receive({
      type: 'training_history', total: 1, episodes: [record(1)],
      events: [
        { time: 1_000_000, event: { type: 'checkpoint_saved', model: 'mine.pt', episode: 1 } },
        { time: 1_000_001, event: {
          type: 'training_complete', model_saved: 'models/trained_agent.pt', model: 'mine.pt', final_avg_reward: 1, final_avg_length: 76,
        } },
      ],
    })
    expect(run.events.map(({ kind, at }) => [kind, at.getTime()])).toEqual([['finished', 1_000_001_000], ['saved', 1_000_000_000]])
    expect(run.model.value).toBe('mine.pt')
    // A trainer that goes on tells its episodes again, and nothing of what happened.
    socket.receive({ type: 'training_history', total: 1, episodes: [record(1)] })
    expect(run.events).toHaveLength(2)
    run.close()
  })

  it('names the model that a run ended with', () => {
    const run = new TrainingRun({ saved }, 'ws://x/ws/training')
    const socket = SocketDouble.newest
    socket.receive(status())
    socket.receive({
      type: 'training_complete', model_saved: 'models/trained_agent.pt', model: 'mine.pt', final_avg_reward: 1, final_avg_length: 76,
    })
    expect(run.events[0]).toMatchObject({
      kind: 'finished', model: 'mine.pt',
    })
    expect(run.events.slice(0, 1).map(eventText)).toEqual(['its last episodes survived 76 steps; saved as mine'])
    socket.receive({ type: 'training_stopped', reason: 'The run was stopped on request.', model_saved: null, model: null, restart: false })
    expect(run.events[0]).not.toHaveProperty('model')
    expect(run.events.slice(0, 1).map(eventText)).toEqual(['Stopped on request.'])
    socket.receive({ type: 'training_stopped', reason: 'The run was stopped on request.', model_saved: 'models/trained_agent.pt', model: 'mine.pt', restart: false })
    expect(run.events.slice(0, 1).map(eventText)).toEqual(['Stopped on request; saved as mine'])
    run.close()
  })

  it('says what the server refused, at its field', () => {
    const run = new TrainingRun({ saved }, 'ws://x/ws/training')
    const socket = SocketDouble.newest
    socket.receive(status({ state: 'idle', is_training: false, run_id: null }))
    run.start({ num_episodes: 5 })
    expect(socket.sent).toEqual([{ command: 'start_training', num_episodes: 5 }])
    socket.receive({ type: 'error', message: '`gamma` must be 0 to 1.', code: 'out_of_range', command: 'start_training', field: 'gamma' })
    expect(run.state.error).toEqual({ message: '`gamma` must be 0 to 1.', field: 'gamma' })
    run.close()
  })
})
