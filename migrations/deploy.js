// `anchor migrate` runs this file where the project has no tsconfig.json, as here: no compiler is needed.
module.exports = require("./deploy.ts");
