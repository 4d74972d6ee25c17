import { evtError } from '../errors.ts'
import type { AnyEvent } from '../event.ts'
import { invalidOption } from '../options.ts'
import type { EventList } from './context.ts'

export function createEventList(): EventList {
  const byFoldedName = new Map<string, AnyEvent>()
  return {
    get all() {
      return [...byFoldedName.values()]
    },
    add(given) {
      if (given?.['~event'] === undefined) throw invalidOption('event', 'expected what defineEvent returns')
      const event = given['~event'].discards ?? given
      const folded = event.name.toLowerCase()
      const known = byFoldedName.get(folded)
      if (known === event) return
      // Some brokers and file systems fold case, so such names could meet in one place.
      if (known !== undefined) {
        const message = `"${event.name}" is defined twice on this bus${known.name === event.name ? '' : `, as "${known.name}" too`}: share one definition`
        throw evtError('EVT_EVENT_DUPLICATE', message, { event: event.name })
      }
      byFoldedName.set(folded, event)
    },
  }
}
