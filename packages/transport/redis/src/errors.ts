import { type EvtError, evtError } from '@evt/core'

declare module '@evt/core' {
  interface EvtErrors {
    EVT_REDIS_GROUP_MISSING: { readonly topic: string; readonly consumer: string }
  }
}

export function groupMissing(topic: string, consumer: string, cause: unknown): EvtError<'EVT_REDIS_GROUP_MISSING'> {
  const text = `The group ${consumer} of ${topic} is gone from the server, or its stream`
  return evtError('EVT_REDIS_GROUP_MISSING', text, { topic, consumer }, { cause })
}
