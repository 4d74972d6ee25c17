declare module '@evt/core' {
  interface EvtErrors {
    EVT_OUTBOX_NOT_STARTED: { readonly outbox: string }
  }
}

export {}
