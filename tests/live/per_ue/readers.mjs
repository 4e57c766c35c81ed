// Reads bodies that the gateway took by JSON.parse, as readers.py does by others.
import { readFileSync } from "node:fs";

const { places, selecting, granted } = JSON.parse(readFileSync(process.argv[2], "utf8"));

function* at(value, tokens) {
  const [token, ...rest] = tokens;
  if (token === undefined) {
    yield value;
  } else if (token === "*") {
    for (const element of Array.isArray(value) ? value : []) yield* at(element, rest);
  } else if (token === "{}") {
    for (const member of Object.values(value ?? {})) yield* at(member, rest);
  } else if (value !== null && typeof value === "object" && token in value) {
    yield* at(value[token], rest);
  }
}

let read = 0;
for (const line of readFileSync(process.argv[3], "ascii").trim().split("\n")) {
  const body = Buffer.from(line, "hex");
  const value = JSON.parse(body.toString("utf8"));
  const seen = (places) => places.flatMap((place) => [...at(value, place.split("/").slice(1))]);
  if (seen(selecting).length === 0 || seen(places).some((name) => !granted.includes(name))) {
    console.log(`node: ${JSON.stringify(body.toString("utf8"))}`);
    process.exitCode = 1;
  }
  read += 1;
}
console.log(`read ${read}`);
