import { defineStore } from 'pinia'
import { computed, ref, shallowRef, watch } from 'vue'

import { useAccess } from '@/access/access'
import { useLoginCheck } from '@/access/check'
import { asFlag, remembered } from '@/common/storage'
import type { Ask } from '@/protocol/messages'
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
  /** The member whose life is on this screen in place of one's own. */
  const watched = computed(() => {
    const number = client.value?.watched ?? null
    return number !== null && number === client.value?.state.spotlight && dismissed.value === number ? (me.value?.follows ?? null) : number
  })
  const feed = computed<FrameFeed | null>(() => (watched.value === null ? (own.value?.feed ?? null) : (client.value?.feed ?? null)))
  watch(() => client.value?.state.spotlight, () => { dismissed.value = null })

  /** Whether everybody sees one's own life. */
  const isShown = computed(() => {
    const { spotlight, you } = client.value?.state ?? {}
    return typeof spotlight === 'number' && spotlight === you
  })
  /** How often this person wanted to go on while the life stands still for a vote. */
  const reminders = ref(0)
  function waits(): void { reminders.value += 1 }
  /** Whether an open vote asks what one's own life does next: it stands still until then. */
  const isAsked = computed(() => {
    const vote = client.value?.state.vote
    return isShown.value && vote?.open === true && vote.question === 'which_action'
  })
  /** Whether a person chooses the actions of the life on screen. */
  const playsByHand = computed(() => (
    watched.value === null ? (own.value?.desired.human ?? false) : client.value?.state.controller === 'human'
  ))

  /** The step on screen when the vote on the next action was closed; null while none waits for the model. */
  const closedAt = ref<{ episode: number; step: number } | null>(null)
  /** What the model did after that vote, as an action's number. */
  const modelChoice = ref<number | null>(null)
  watch(() => client.value?.state.vote, (vote, before) => {
    if (!vote || vote.open) {
      closedAt.value = modelChoice.value = null
      return
    }
    if (vote.question !== 'which_action' || before?.number !== vote.number || !before.open) return
    const frame = feed.value?.frame
    closedAt.value = frame ? { episode: frame.episode, step: frame.step } : null
    // The one whose life it is lets the model show, or acts as it likes.
    if (isShown.value && !own.value?.desired.human) own.value?.step()
  })
  watch(() => feed.value?.snapshot.value, (frame) => {
    const closed = closedAt.value
    if (!frame || closed === null || frame.episode !== closed.episode || frame.step <= closed.step) return
    modelChoice.value = frame.action
    closedAt.value = null
  })

  watch(own, (session, before) => {
    if (before) before.published = null
    if (session) session.published = (update) => { client.value?.publish(update) }
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
  // All hear with it who plays.
  watch(isAsked, (asked) => { if (asked && own.value?.desired.human) own.value.takeControl() })
  /** Whether the vote has ended and all wait for what this person does now. */
  const isAwaited = computed(() => isShown.value && own.value?.desired.human === true && closedAt.value !== null)

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
    if (typeof me.value?.follows === 'number') client.value.send({ command: 'follow', member: null })
  }

  /** Begin a vote. One on the next action needs a situation that all see: the life on this screen, which waits for them. */
  function ask(question: Ask['question']): void {
    const { state } = client.value ?? {}
    if (!state) return
    const member = watched.value ?? state.you
    if (question === 'which_action' && state.spotlight !== member && client.value?.member(member)?.has_session) {
      client.value.send({ command: 'spotlight', member })
    }
    client.value?.send({ command: 'ask', question, choices: QUESTIONS[question] })
  }

  /** Let one's own life go on after a vote. */
  function goOn(): void { own.value?.play() }

  function vote(choice: number): void {
    if (client.value === null) return
    client.value.state.choice = choice
    client.value.send({ command: 'vote', choice })
  }

  return {
    client, own, feed, tool, isNew, wrong, direct, me, leads, watched, modelChoice, stopped, isAsked, isAwaited, playsByHand, reminders, waits,
    join, leave, offer, withdraw, back, ask, goOn, vote,
  }
})
