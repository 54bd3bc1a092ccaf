using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary>What can go wrong with <c>graft export</c> and <c>graft serve</c>: one clear answer, and nothing half-written.</summary>
public sealed class ExportErrorsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private GraftCommand Graft => new(_folder.FullName);

    private static void Fails(CommandResult result, params string[] expected)
    {
        Assert.True(result.ExitCode == 1, result.ToString());
        Assert.DoesNotContain("   at ", result.Messages, StringComparison.Ordinal);
        foreach (var words in expected) Assert.Contains(words, result.Messages, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model/model.onnx")]
    [InlineData("site", "--for", "web")]
    public void Full_disk_is_said_and_leaves_nothing(string output, params string[] arguments)
    {
        using var disk = SmallDisk.Mount(_folder.File("disk/x"), kilobytes: 2000);

        var result = Graft.Run(["export", "tiny", "--out", Path.Combine(disk.Path, output), .. arguments]);

        Fails(result, "cannot be written to", "space");
        Assert.DoesNotContain(".export-", result.Messages, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(disk.Path));
    }

    [Fact]
    public void Export_that_is_there_is_left_alone()
    {
        File.WriteAllText(_folder.File("site/mine.txt"), "mine");
        File.WriteAllText(_folder.File("model/labels.txt"), "mine");

        Fails(Graft.Run("export", "tiny", "--for", "triton", "--out", "site"), "site is there already", "Name a new folder with --out");
        Fails(Graft.Run("export", "tiny", "--out", "model/m.onnx"), "labels.txt is there already", "--out");
        Fails(Graft.Run("export", "tiny", "--out", "out/labels.txt"), "Expected a .onnx file to export to, found out/labels.txt.");

        Assert.Equal(["mine.txt"], Directory.EnumerateFileSystemEntries(_folder.File("site")).Select(Path.GetFileName));
        Assert.Equal(["labels.txt"], Directory.EnumerateFileSystemEntries(_folder.File("model")).Select(Path.GetFileName));
    }

    [Fact]
    public void Files_that_are_no_models_are_named_with_the_remedy()
    {
        File.WriteAllText(_folder.File("text.onnx"), "not a model");
        File.WriteAllBytes(_folder.File("empty.onnx"), []);
        File.WriteAllText(_folder.File("photo.jpg"), "not a model");

        Fails(Graft.Run("serve", "text.onnx", "--port", "0"), "text.onnx is not an ONNX model, or a damaged one");
        Fails(Graft.Run("serve", "empty.onnx", "--port", "0"), "empty.onnx cannot be read: it is empty");
        Fails(Graft.Run("serve", "absent.onnx", "--port", "0"), "absent.onnx cannot be read");
        Fails(Graft.Run("export", "text.onnx", "--out", "out/m.onnx"), "text.onnx is an ONNX file", "graft serve text.onnx");
        Fails(Graft.Run("export", "photo.jpg", "--out", "out/m.onnx"), "photo.jpg is no trained model", "Expected a run folder");
        Assert.False(Directory.Exists(Path.Combine(_folder.FullName, "out")));
    }
}
