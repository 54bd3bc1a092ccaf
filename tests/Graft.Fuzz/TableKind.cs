using System.Text;
using Graft.Data;
using Graft.Runs;

namespace Graft.Fuzz;

/// <summary>
/// Tables: of photos with labels, of predictions, and of photos that were moved aside. Whatever they say, a file outside the folders stays.
/// </summary>
internal sealed class TableKind : FuzzKind
{
    private const int Photos = 8;

    public override string Name => "tables";

    public override IReadOnlyList<byte[]> Words =>
    [
        .. ((string[])["../", "..\\", "/", "\"", "\"\"", ",", ";", "\t", "\n", "\r\n", "\0", "\uFEFF", "'=", "\\u{202E}", "train", "val", "test", "True", "1e999", "NaN", "-1", "photos/cat0/0.jpg"])
            .Select(Encoding.UTF8.GetBytes),
    ];

    public override IReadOnlyList<Seed> Seeds(string folder)
    {
        string[] photos = [.. Enumerable.Range(0, Photos).Select(number => $"photos/cat{number % 2}/{number}.jpg")];
        string Table(string header, Func<string, int, string> row, string end = "\n") =>
            header + end + string.Concat(photos.Select((photo, number) => row(photo, number) + end));
        Seed Text(string name, string content) => new(name, Encoding.UTF8.GetBytes(content));
        return
        [
            Text("csv", Table("path,label", (photo, number) => $"{photo},cat{number % 2}")),
            Text("split.csv", Table("path,label,split", (photo, number) => $"\"{photo}\",\"cat{number % 2}\",{(number < 4 ? "train" : number < 6 ? "val" : "test")}")),
            Text("flags.csv", Table("image_id;target;is_valid;fold", (photo, number) => $"{photo};cat{number % 2};{number > 5};{number}", "\r\n")),
            Text("tsv.csv", "\uFEFF" + Table("ImagePath\tLabel", (photo, number) => $"{photo.Replace('/', '\\')}\tcat{number % 2}")),
            Text("predictions.csv", Table("path,label,predicted,probability,split,map_x,map_y,p(cat0),p(cat1)", (photo, number) => $"\"{photo}\",\"cat{number % 2}\",\"cat0\",0.75,{(number < 4 ? "val" : "test")},0.5,-1.25,0.75,0.25")),
            Text("quarantine.csv", Table("file,moved_to,reason,moved_from", (_, number) => $"\"cat{number % 2}/aside{number}.jpg\",\"cat{number % 2}/{number}.jpg\",\"blank\",\"\"")),
        ];
    }

    public override bool Read(byte[] input, string folder)
    {
        var (table, aside, canary) = (Path.Combine(folder, "table.csv"), Path.Combine(folder, "aside"), Path.Combine(folder, "mine.jpg"));
        if (!Directory.Exists(Path.Combine(folder, "photos"))) MakePhotos(folder, "photos");
        MakePhotos(folder, "aside");
        File.WriteAllText(canary, "mine");
        File.WriteAllBytes(table, input);
        File.WriteAllBytes(Path.Combine(folder, "predictions.csv"), input);
        File.WriteAllBytes(Path.Combine(aside, Quarantine.ListName), input);

        var accepted = Accepts(() => LabeledImages.Load(table).All.Any())
            | Accepts(() => PredictionTable.Load(folder, ["cat0", "cat1"])!.Evaluate(PredictionTable.Validation) is not null)
            | Accepts(() => Quarantine.Undo(Path.Combine(folder, "photos"), aside).Restored > 0);
        if (File.ReadAllText(canary) != "mine" || Directory.GetFiles(folder).Length != 3)
            throw new InvalidOperationException("A file outside the folders was moved or written over.");
        if (Directory.Exists(aside)) Directory.Delete(aside, recursive: true);
        return accepted;
    }

    private static void MakePhotos(string folder, string name)
    {
        for (var number = 0; number < Photos; number++)
        {
            var path = Path.Combine(folder, name, $"cat{number % 2}", $"{number}.jpg");
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, $"{name} {number}");
        }
    }

    private static bool Accepts(Func<bool> read)
    {
        try
        {
            return read();
        }
        catch (GraftException)
        {
            return false;
        }
    }
}
