import { defineStore } from 'pinia'
import { computed, ref, shallowRef, watch } from 'vue'

import { useAccess } from '@/access/access'
import { useLoginCheck } from '@/access/check'
import { asFlag, remembered } from '@/common/storage'
import type { AgentId } from '@/company/agents'
import type { Ask, StateUpdate } from '@/protocol/messages'
import { RoomClient } from '@/room/client'
import { ownVoter } from '@/room/voter'
import type { FrameFeed } from '@/session/feed'
import type { InferenceSession } from '@/session/session'
import { useRoute } from '@/shell/route'
import { ACTIONS } from '@/world/labels'
import { METERS } from '@/world/meters'

/** What is done with the pointer on the world: nothing but pointing, a line, an arrow, or a stamp of this number. */
export type Tool = 'pen' | 'arrow' | number

/** The questions that a teacher can ask, with how many choices each has. */
export const QUESTIONS: Readonly<Record<Ask['question'], number>> = {
  which_action: ACTIONS.length,
  will_it_survive: 2,
  what_fails_first: METERS.length,
  yes_or_no: 2,
}

const FIRST_NUMBER = 1000
const NUMBERS = 9000

/** Return the room that a group belongs to, or a room's own name. */
export function baseOf(room: string): string {
  return room.split('-')[0] ?? room
}

/** The room that this browser is in with others, as the address names it. */
export const useRoom = defineStore('room', () => {
  const routes = useRoute()
  const access = useAccess()
  const client = shallowRef<RoomClient | null>(null)
  /** The session on this screen. */
  const own = shallowRef<InferenceSession | null>(null)
  const tool = ref<Tool | null>(null)
  /** Whether this person opened the room, so that nobody else knows of it yet. */
  const isNew = ref(false)
  /** What the address names as a room and is no number of one; null if there is nothing of the kind. */
  const wrong = ref(routes.route.room === null ? new URLSearchParams(location.search).get('room') : null)
  /** Whether this person lets the browser connect to others of the group. */
  const direct = remembered('room.direct', true, asFlag)
  /** A spotlight that this person looked away from. */
  const dismissed = ref<number | null>(null)

  const me = computed(() => client.value?.me ?? null)
  const leads = computed(() => me.value?.teacher ?? false)
  /** Whether all look at the life that a vote is about. */
  const isVotedOn = computed(() => (client.value?.asked ?? null) !== null)
  /** Whether this person may draw: whoever ended drawing for the others goes on. */
  const mayDraw = computed(() => {
    const { drawing, drawingEndedBy, you } = client.value?.state ?? {}
    return drawing === true || (typeof you === 'number' && drawingEndedBy === you)
  })
  /** The member whose life is on this screen in place of one's own. */
  const watched = computed(() => {
    const number = client.value?.watched ?? null
    if (isVotedOn.value) return number
    return number !== null && number === client.value?.state.spotlight && dismissed.value === number ? (me.value?.follows ?? null) : number
  })
  const feed = computed<FrameFeed | null>(() => (watched.value === null ? (own.value?.feed ?? null) : (client.value?.feed ?? null)))
  watch(() => client.value?.state.spotlight, () => { dismissed.value = null })

  /** How often this person wanted to go on while the life stands still for a vote. */
  const reminders = ref(0)
  function waits(): void { reminders.value += 1 }
  /** Whether an open vote asks what one's own life does next: it stands still until then. */
  const isAsked = computed(() => {
    const vote = client.value?.state.vote
    return vote?.open === true && vote.member === client.value?.state.you
  })
  /** Whether a person chooses the actions of the life on screen. */
  const playsByHand = computed(() => (
    watched.value === null ? (own.value?.desired.human ?? false) : client.value?.state.controller === 'human'
  ))

  /** The vote that one's own life stood still for. */
  let stoodFor: number | null = null
  /** The vote on one's own life that has ended, and the step after which its outcome comes; null while none waits. */
  const awaited = shallowRef<{ vote: number; agent: AgentId; episode: number; step: number } | null>(null)
  watch(() => client.value?.state.vote, (vote) => {
    if (!vote) return
    if (vote.open) {
      awaited.value = null
      stoodFor = vote.member === client.value?.state.you ? vote.number : null
      return
    }
    if (vote.number !== stoodFor) return
    stoodFor = null
    const frame = own.value?.feed.frame
    if (!frame || vote.member !== client.value?.state.you) return
    awaited.value = { vote: vote.number, agent: vote.agent ?? 'agent_0', episode: frame.episode, step: frame.step }
    // The one whose life it is lets the model show, or acts as it likes.
    if (!own.value?.desired.human) own.value?.step()
  })

  /** Tell the room what one's own life did after a vote on it. */
  function answer(session: InferenceSession, update: StateUpdate): void {
    const wait = awaited.value
    if (wait === null || (update.episode === wait.episode && update.step <= wait.step)) return
    awaited.value = null
    const action = ACTIONS.findIndex(({ name }) => name === update.agents[wait.agent]?.last_action)
    if (update.episode !== wait.episode || action < 0) return
    const isPerson = session.state.controller === 'human' && (session.company.person.value ?? 'agent_0') === wait.agent
    client.value?.send({ command: 'set_outcome', vote: wait.vote, action, by: isPerson ? 'human' : 'policy' })
  }

  watch(own, (session, before) => {
    if (before) Object.assign(before, { published: null, holds: null })
    if (session === null) return
    session.published = (update) => {
      client.value?.publish(update)
      answer(session, update)
    }
    session.holds = () => {
      if (isAsked.value) waits()
      return isAsked.value
    }
  })
  /** Whether one's own life stopped for a vote, and has not gone on since. */
  const stopped = ref(false)
  watch(() => own.value?.playing, (playing) => { if (playing) stopped.value = false })
  watch([isAsked, () => own.value?.playing], ([asked, playing]) => {
    if (!asked || !playing) return
    own.value?.pause()
    stopped.value = true
    waits()
  })
  watch([isAsked, own, () => client.value?.state.vote?.agent], ([asked, session, agent]) => {
    if (!asked || session === null) return
    if (agent !== undefined && agent !== session.company.followed) session.company.follow(agent)
    // All hear with it who plays.
    if (session.desired.human) session.takeControl()
  })
  /** Whether the vote has ended and all wait for what this person does now. */
  const isAwaited = computed(() => own.value?.desired.human === true && awaited.value !== null)

  // A connection keeps the rights with which it began.
  watch(() => access.who, (_, before) => { if (before !== null) client.value?.reopen() })
  watch([client, direct], () => { client.value?.connect(direct.value) })
  // Whoever is followed stays so in another view, whose session is only beginning: the one before is there until then.
  watch([own, () => own.value?.state.shared ?? null], ([session, shared]) => {
    if (session === null || shared !== null) client.value?.share(shared)
  })
  watch([() => access.asked && access.mayWatch, () => routes.route.room], ([may, room]) => {
    if (!may || room === null) {
      client.value?.close()
      client.value = null
      tool.value = null
    } else if (client.value !== null) client.value.enter(room)
    else {
      client.value = new RoomClient(room, join, undefined, ownVoter())
      useLoginCheck(client.value.connection)
      client.value.share(own.value?.state.shared ?? null)
    }
  }, { immediate: true })

  /** Join a room; a new one where none is named. */
  function join(room?: string): void {
    isNew.value = room === undefined
    wrong.value = null
    // The address may name it already, if it was full.
    if (room !== undefined) client.value?.enter(room)
    routes.go({ room: room ?? String(FIRST_NUMBER + Math.floor(Math.random() * NUMBERS)) })
  }

  function leave(): void { routes.go({ room: null }) }

  /** The session on screen, which others may follow from now on. */
  function offer(session: InferenceSession): void { own.value = session }

  function withdraw(session: InferenceSession): void {
    if (own.value === session) own.value = null
  }

  /** See one's own life again. */
  function back(): void {
    if (client.value === null) return
    dismissed.value = client.value.state.spotlight
    client.value.state.joinedVote = null
    if (typeof me.value?.follows === 'number') client.value.send({ command: 'follow', member: null })
  }

  /** Begin a vote. One on the next action needs a situation that all see: the life on this screen, which waits for them. */
  function ask(question: Ask['question']): void {
    const { state } = client.value ?? {}
    if (!state) return
    const member = watched.value ?? state.you
    const isOfLife = question === 'which_action' && member !== null && client.value?.member(member)?.has_session
    const shown = feed.value
    const several = (shown?.frame?.agents.length ?? 1) > 1
    client.value?.send({
      command: 'ask', question, choices: QUESTIONS[question],
      ...(isOfLife && { member, ...(several && { agent: shown?.followed.value as AgentId }) }),
    })
  }

  /** Let one's own life go on after a vote. */
  function goOn(): void { own.value?.play() }

  function vote(choice: number): void {
    if (client.value === null) return
    client.value.state.choice = choice
    client.value.send({ command: 'vote', choice })
  }

  return {
    client, own, feed, tool, isNew, wrong, direct, me, leads, watched, isVotedOn, mayDraw, stopped, isAsked, isAwaited, playsByHand, reminders, waits,
    join, leave, offer, withdraw, back, ask, goOn, vote,
  }
})
