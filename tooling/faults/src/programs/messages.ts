import { defineEvent, type EventDefinition, type } from '@evt/core'

/** What a message tells its handler to do. */
export interface Payload {
  readonly number: number
  readonly key: string
  /** Runs that fail before one succeeds; -1: all of them. */
  readonly failures: number
  readonly padding: string
}

const schema = type<Payload>()
export const Keyed: EventDefinition<'fault.keyed', Payload> = defineEvent('fault.keyed', {
  schema,
  key: (payload) => payload.key,
})
export const Plain: EventDefinition<'fault.plain', Payload> = defineEvent('fault.plain', { schema })

export const messageId = (number: number): string => `m${number}`
