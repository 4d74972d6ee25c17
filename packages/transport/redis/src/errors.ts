declare module '@evt/core' {
  interface EvtErrors {
    EVT_REDIS_GROUP_MISSING: { readonly topic: string; readonly consumer: string }
  }
}

export {}
