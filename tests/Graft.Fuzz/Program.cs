using System.Globalization;
using Graft.Fuzz;

// dotnet run -c Release --project tests/Graft.Fuzz -- images --seconds 60 --seed 1 [--failures FOLDER]
// dotnet run -c Release --project tests/Graft.Fuzz -- images --input FILE        one input again
FuzzKind[] kinds = [new ImageKind(), new CheckpointKind(), new OnnxKind(), new ModelKind(), new TableKind(), new RunFolderKind()];

string Option(string name, string otherwise) => Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : otherwise;

var chosen = kinds.Where(kind => args.Length > 0 && (args[0] == kind.Name || args[0] == "all")).ToList();
if (chosen.Count == 0)
{
    Console.Error.WriteLine($"Usage: {string.Join('|', kinds.Select(kind => kind.Name))}|all [--seconds 60] [--inputs COUNT] [--seed 1] [--failures FOLDER] [--input FILE]");
    return 2;
}
if (Option("--input", "") is { Length: > 0 } again)
{
    Console.WriteLine(chosen[0].Read(File.ReadAllBytes(again), Path.GetTempPath()) ? "accepted" : "refused");
    return 0;
}
var seconds = double.Parse(Option("--seconds", "60"), CultureInfo.InvariantCulture);
var inputs = int.Parse(Option("--inputs", $"{int.MaxValue}"), CultureInfo.InvariantCulture);
var seed = int.Parse(Option("--seed", "1"), CultureInfo.InvariantCulture);
var failures = Option("--failures", "fuzz-failures");
var isClean = true;
foreach (var kind in chosen) isClean &= Fuzzing.Run(kind, TimeSpan.FromSeconds(seconds / chosen.Count), inputs, seed, failures);
return isClean ? 0 : 1;
