import { defineEvent, type EventDefinition, type } from '@evt/core'

export const Numbered: EventDefinition<'killed.numbered', { n: number }> = defineEvent('killed.numbered', {
  schema: type<{ n: number }>(),
})
export const Keyed: EventDefinition<'killed.keyed', { key: string; n: number }> = defineEvent('killed.keyed', {
  schema: type<{ key: string; n: number }>(),
  key: ({ key }) => key,
})
