import { evtError } from '../errors.ts'

/** Which handler works for which group on this bus. */
export interface GroupList {
  /** Throws `EVT_GROUP_SHARED` where another handler has the group on one of the events; answers how to let go. */
  claim(consumer: string, events: readonly string[], handler: unknown): () => void
}

/** Two handlers in one group would each get some of the messages: that is never meant. */
export function createGroupList(): GroupList {
  const claims = new Map<string, { readonly handler: unknown; count: number }>()
  return {
    claim(consumer, events, handler) {
      const places = events.map((event) => `${consumer}\n${event}`)
      for (const [index, place] of places.entries()) {
        const claimed = claims.get(place)
        if (claimed !== undefined && claimed.handler !== handler) {
          const event = events[index]!
          const text = `Two handlers share the group "${consumer}" on "${event}", so each would get some of its messages: give one another group`
          throw evtError('EVT_GROUP_SHARED', text, { group: consumer, event })
        }
      }
      for (const place of places) {
        const claimed = claims.get(place)
        if (claimed === undefined) claims.set(place, { handler, count: 1 })
        else claimed.count += 1
      }
      return () => {
        for (const place of places) {
          const claimed = claims.get(place)!
          claimed.count -= 1
          if (claimed.count === 0) claims.delete(place)
        }
      }
    },
  }
}
