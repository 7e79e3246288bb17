import type { IconName } from '@/common/icons'
import { type ConnectionState, type Refusal, isRestarting } from '@/common/socket'
import { capitalised } from '@/common/text'
import type { CloseCode } from '@/protocol/messages'

export interface ConnectionMessage { icon: IconName; title: string; text: string }

const RECONNECTS = 'The page reconnects by itself and comes back to the same view.'

const REFUSALS: Readonly<Record<string, ConnectionMessage>> = {
  server_full: { icon: 'full', title: 'The server is full', text: 'All places are taken. The page tries again by itself.' },
  client_full: {
    icon: 'full', title: 'Too many connections from your network',
    text: 'The server allows no more of them. Close a tab that you do not need.',
  },
  rate_limited: { icon: 'clock', title: 'One moment', text: 'Many connections were opened from your network just now.' },
  login_needed: { icon: 'key', title: 'You are not logged in', text: 'Your login has expired, or does not allow this.' },
  forbidden: { icon: 'key', title: 'You are not logged in', text: 'Your login has expired, or does not allow this.' },
}

/** Why the server ended a connection, by its close code. */
const ENDINGS: Readonly<Record<CloseCode, ConnectionMessage>> = {
  1008: { icon: 'clock', title: 'Too many commands', text: `More commands came than the server takes. ${RECONNECTS}` },
  1009: { icon: 'warning', title: 'A message was too large', text: `The server does not take messages of that size. ${RECONNECTS}` },
  1011: { icon: 'warning', title: 'The session failed', text: `Something went wrong on the server. ${RECONNECTS}` },
  1012: { icon: 'offline', title: 'The server is restarting', text: RECONNECTS },
  1013: { icon: 'clock', title: 'The connection is too slow', text: `This browser fell behind the training run. ${RECONNECTS}` },
  4401: { icon: 'key', title: 'Your login has ended', text: 'Log in again to come back.' },
  4408: { icon: 'clock', title: 'You were away', text: 'Nothing happened here for a long time, so the server closed the connection.' },
}

/** Return what to say of a connection that is not open; `what` connects, such as "this page". */
export function describeConnection(state: ConnectionState, what: string): ConnectionMessage {
  if (state.status === 'refused') return describeRefusal(state.refusal, what)
  if (state.status === 'connecting' && !state.wasOpen) {
    return { icon: 'clock', title: 'Connecting\u2026', text: 'Waiting for the server.' }
  }
  const ending = state.closeCode !== 1012 || isRestarting(state) ? ENDINGS[state.closeCode as CloseCode] : undefined
  const text = state.wasOpen ? RECONNECTS : 'The server does not answer. Is it running?'
  return ending ?? { icon: 'offline', title: 'The connection is lost', text }
}

function describeRefusal(refusal: Refusal | null, what: string): ConnectionMessage {
  const known = REFUSALS[refusal?.code ?? '']
  if (known !== undefined) return known
  const text = refusal?.message ?? 'The server answers, but WebSocket connections do not reach it: a proxy does not pass '
    + 'the Upgrade header on, or a network filter blocks them. The server\u2019s operator finds help under Troubleshooting.'
  return { icon: 'offline', title: `${capitalised(what)} cannot connect`, text }
}
