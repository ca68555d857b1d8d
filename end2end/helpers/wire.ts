// An answer as it is sent: a browser would have unpacked it.
import { get } from "node:http";

export interface Answer {
  status: number | undefined;
  encoding: string | undefined;
  /** As they went over the wire. */
  bytes: Buffer;
}

/** Asks without unpacking. */
export async function fetchRaw(url: string, acceptEncoding: string): Promise<Answer> {
  const headers = { accept: "text/html,*/*", "accept-encoding": acceptEncoding };
  return await new Promise<Answer>((resolve, reject) => {
    const request = get(url, { headers }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) {
        chunks.push(chunk as Buffer);
      }
      resolve({ status: response.statusCode, encoding: response.headers["content-encoding"], bytes: Buffer.concat(chunks) });
    });
    request.once("error", reject);
  });
}
