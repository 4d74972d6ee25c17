declare module '@evt/core' {
  interface EvtErrors {
    EVT_DEMO_DATABASE: { readonly database: string }
    EVT_DEMO_SOURCE_CHANGED: { readonly source: string; readonly number: number }
  }
}

export {}
