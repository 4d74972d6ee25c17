import { defineEvent, type EventDefinition, type } from '@evt/core'

interface Numbered {
  readonly n: number
}
export const Tick: EventDefinition<'tick', Numbered> = defineEvent('tick', { schema: type<Numbered>() })
export const Tock: EventDefinition<'tock', Numbered> = defineEvent('tock', { schema: type<Numbered>() })
export const Keyed: EventDefinition<'keyed', Numbered> = defineEvent('keyed', {
  schema: type<Numbered>(),
  key: () => 'k',
})

/** What work failed with. */
export function failed(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  )
}
