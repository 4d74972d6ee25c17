import { evtError } from '../errors.ts'
import type { AnyEvent } from '../event.ts'
import { invalidOption } from '../options.ts'
import type { EventList } from './context.ts'

export function createEventList(): EventList {
  const byFoldedName = new Map<string, AnyEvent>()
  const addTo = (added: Map<string, AnyEvent>, given: AnyEvent) => {
    if (given?.['~event'] === undefined) throw invalidOption('event', 'expected what defineEvent returns')
    const event = given['~event'].discards ?? given
    const folded = event.name.toLowerCase()
    const known = byFoldedName.get(folded) ?? added.get(folded)
    if (known === event) return
    // Some brokers and file systems fold case, so such names could meet in one place.
    if (known !== undefined) {
      const message = `"${event.name}" is defined twice on this bus${known.name === event.name ? '' : `, as "${known.name}" too`}: share one definition`
      throw evtError('EVT_EVENT_DUPLICATE', message, { event: event.name })
    }
    added.set(folded, event)
  }
  return {
    get all() {
      return [...byFoldedName.values()]
    },
    add: (event) => addTo(byFoldedName, event),
    addAll(events) {
      const added = new Map<string, AnyEvent>()
      for (const event of events) addTo(added, event)
      for (const [name, event] of added) byFoldedName.set(name, event)
    },
  }
}
