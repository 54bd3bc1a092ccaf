using System.Text;
using Graft.Runs;
using Graft.Runs.Reports;

namespace Graft.Fuzz;

/// <summary>The files of a finished run, one of them changed, read back and shown on a page.</summary>
internal sealed class RunFolderKind : FuzzKind
{
    private static readonly Dictionary<string, string> Files = new(StringComparer.Ordinal)
    {
        ["result.json"] = """
            {
              "backbone": "tiny", "strategy": "features", "classifier": "softmax", "classes": ["cat", "dog"], "seed": 1,
              "images": { "train": 6, "validation": 4, "test": 2, "skipped": 1 },
              "data": "photos", "class_images": { "train": [3, 3], "validation": [2, 2], "test": [1, 1] },
              "weights": { "tiny": "0123456789abcdef" }, "features": 16, "map": { "of": "features", "variance": [0.5, 0.25] },
              "validation": { "accuracy": 0.75, "temperature": 1.5 }, "test": { "accuracy": 0.5 },
              "epochs": { "trained": 2, "best": 2 }, "seconds": { "features": 1.5, "training": 2.5, "total": 4 }, "model": "model.safetensors"
            }
            """,
        ["predictions.csv"] = "path,label,predicted,probability,split,map_x,map_y,p(cat),p(dog)\n"
            + string.Concat(Enumerable.Range(0, 6).Select(number =>
                $"\"photos/{number}.jpg\",\"{(number % 2 == 0 ? "cat" : "dog")}\",\"cat\",0.75,{(number < 4 ? "val" : "test")},{number},-{number},0.75,0.25\n")),
        ["history.csv"] = "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds\n1,0.9,0.5,0.8,0.5,0.001,1.5\n2,0.5,0.75,0.6,0.75,0.001,1.25\n",
        ["skipped.csv"] = "path,reason\n\"photos/broken.jpg\",\"not a picture\"\n",
        ["report.txt"] = "Trained a softmax head on tiny: 2 epochs, the best was 2.\n\nValidation: accuracy 75.0 %\n",
        ["run.json"] = """
            { "arguments": ["photos", "--seed", "1"], "options": null, "graft": "0.1.0", "system": "Linux", "runtime": ".NET 10", "cores": 2, "begun": "2026-01-01T00:00:00+00:00" }
            """,
    };

    public override string Name => "runs";

    public override IReadOnlyList<byte[]> Words =>
    [
        .. ((string[])["null", "[]", "{}", "-1", "1e999", "NaN", "\"\"", "\"", ",", "\n", "\\u0000", "\\ud800", "9999999999", "map_x", "map_y", "split", "val", "test", "p(cat)"])
            .Select(Encoding.UTF8.GetBytes),
    ];

    public override IReadOnlyList<Seed> Seeds(string folder) => [.. Files.Select(file => new Seed(file.Key, Encoding.UTF8.GetBytes(file.Value)))];

    public override bool Read(byte[] input, string folder)
    {
        // By what it still looks like: every file of the folder in turn is the changed one.
        var text = Encoding.UTF8.GetString(input);
        var changed = Files.MaxBy(file => CommonWords(file.Value, text)).Key;
        foreach (var (name, content) in Files) File.WriteAllText(Path.Combine(folder, name), content);
        File.WriteAllBytes(Path.Combine(folder, changed), input);
        try
        {
            return RunReport.ToHtml(SavedRun.Open(folder)).Length > 0;
        }
        catch (GraftException)
        {
            return false;
        }
    }

    private static int CommonWords(string valid, string changed)
    {
        var words = changed.Split([' ', ',', '\n', '"', ':'], StringSplitOptions.RemoveEmptyEntries).ToHashSet(StringComparer.Ordinal);
        return valid.Split([' ', ',', '\n', '"', ':'], StringSplitOptions.RemoveEmptyEntries).Distinct(StringComparer.Ordinal).Count(words.Contains);
    }
}
