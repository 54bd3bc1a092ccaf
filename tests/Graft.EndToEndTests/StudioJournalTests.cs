using Graft.Studio;
using Graft.Testing;

namespace Graft.EndToEndTests;

public sealed class StudioJournalTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_file_cut_at_any_byte_loses_the_cut_line_alone_and_goes_on()
    {
        var path = _folder.File("labels.jsonl");
        using (var journal = new Journal(path))
        {
            journal.Add(JournalAction.AddClass, [], "Löwenzahn");
            journal.Add(JournalAction.Label, ["a/1.jpg", "a/ü 2.jpg"], "Löwenzahn", guess: "b", isRandom: true);
            journal.Add(JournalAction.Keep, ["a/1.jpg"]);
            Assert.Equal(JournalAction.Keep, journal.Undo()!.Action);
        }
        var whole = File.ReadAllBytes(path);
        for (var length = 0; length <= whole.Length; length++)
        {
            var cut = _folder.File($"cut{length}/labels.jsonl");
            Directory.CreateDirectory(Path.GetDirectoryName(cut)!);
            File.WriteAllBytes(cut, whole[..length]);
            // A line that lacks its end alone is whole.
            var lines = whole[..length].Count(value => value == '\n') + (length < whole.Length && whole[length] == '\n' ? 1 : 0);
            using (var journal = new Journal(cut))
            {
                Assert.Equal(lines switch { 4 => 2, var count => count }, journal.Entries.Count);
                Assert.Equal(length > 0 && whole[length - 1] != '\n' && !(length < whole.Length && whole[length] == '\n'), journal.Notice is not null);
                Assert.Equal(lines + 1, journal.Add(JournalAction.Label, ["b/3.jpg"], "b").Number);
            }
            using var again = new Journal(cut);
            Assert.Null(again.Notice);
            Assert.Equal("b/3.jpg", Assert.Single(again.Entries[^1].Photos));
        }
    }

    [Fact]
    public void A_line_that_is_damaged_costs_no_other()
    {
        var path = _folder.File("labels.jsonl");
        using (var journal = new Journal(path))
            for (var photo = 0; photo < 3; photo++) journal.Add(JournalAction.Label, [$"{photo}.jpg"], "a");
        var lines = File.ReadAllLines(path);
        File.WriteAllText(path, $"{lines[0]}\n{lines[1][..20]}\0\n{lines[2]}\n");

        using var damaged = new Journal(path);

        Assert.Equal(["0.jpg", "2.jpg"], damaged.Entries.SelectMany(entry => entry.Photos));
        Assert.Contains("1 line", damaged.Notice, StringComparison.Ordinal);
    }
}
