import type { AnyEvent } from './event.ts'
import { checkKnown } from './options.ts'

export interface MessageOptions {
  /** Message id. Default: a new UUIDv7, or one derived from its source where a handler returned the message. */
  readonly id?: string | undefined
  /** Ordering key. Default: the event's own. */
  readonly key?: string | undefined
  readonly subject?: string | undefined
  readonly metadata?: Readonly<Record<string, string>> | undefined
  /** When it happened. Default: now. */
  readonly time?: Date | undefined
  readonly correlationId?: string | undefined
}

/** A message of an event, not yet published. */
export interface Message<Name extends string = string> {
  readonly '~evt': 'message'
  readonly type: Name
  readonly event: AnyEvent
  readonly payload: unknown
  readonly options: MessageOptions
}

const none: MessageOptions = Object.freeze({})
export const messageOptionNames = ['id', 'key', 'subject', 'metadata', 'time', 'correlationId'] as const

export function makeMessage(event: AnyEvent, payload: unknown, options: MessageOptions = none): Message {
  if (options !== none) checkKnown('A message', options, messageOptionNames)
  return { '~evt': 'message', type: event.name, event, payload, options }
}

export function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && (value as Message)['~evt'] === 'message'
}
