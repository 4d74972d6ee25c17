export default async function stop() {
  for (const server of globalThis.evtServers ?? []) await server.stop()
}
