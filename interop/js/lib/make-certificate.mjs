// Makes the certificate for a test run, in the folder that is its argument: see certificate.mjs.
import { execFileSync } from "node:child_process";
import { binary } from "./servers.mjs";

execFileSync(binary("probe", "./interop/probe"), ["-certificate", process.argv[2]], { stdio: "inherit" });
