export interface StartedServer {
  readonly url: string
  stop(): Promise<void>
}
export function startPostgres(options?: { readonly folder?: string | undefined }): Promise<StartedServer>
