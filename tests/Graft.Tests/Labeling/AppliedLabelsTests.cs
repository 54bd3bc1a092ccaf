using System.Security.Cryptography;
using Graft.Labeling;
using Graft.Testing;

namespace Graft.Tests.Labeling;

public sealed class AppliedLabelsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Into => Path.Combine(_folder.FullName, "sorted");

    public void Dispose() => _folder.Dispose();

    private PhotoLabels Labels(params (string Name, string? Label)[] photos)
    {
        var source = Directory.CreateDirectory(Path.Combine(_folder.FullName, "photos")).FullName;
        return new(source, [.. photos.Select(photo =>
        {
            var path = Path.Combine(source, photo.Name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            if (!File.Exists(path)) File.WriteAllText(path, photo.Name);
            return new PhotoLabel(photo.Name, photo.Label, 0.9, null, 0.9, photo.Label is null ? "unsure" : null, 0, Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path))));
        })]);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_comes_is_taken_back_and_nothing_else(bool asLinks)
    {
        var labels = Labels(("a.jpg", "cat"), ("below/a.jpg", "cat"), ("b.jpg", "dog"), ("c.jpg", null));
        Directory.CreateDirectory(Path.Combine(Into, "cat"));
        File.WriteAllText(Path.Combine(Into, "cat", "a.jpg"), "mine");

        var applied = AppliedLabels.Apply(labels, Into, asLinks, cancellation: Cancellation);

        Assert.Equal([("cat", 2), ("dog", 1)], applied.Placed.Select(entry => (entry.Key, entry.Value)));
        Assert.Equal("mine", File.ReadAllText(Path.Combine(Into, "cat", "a.jpg")));
        Assert.Equal("below/a.jpg", File.ReadAllText(Path.Combine(Into, "cat", "a (3).jpg")));
        Assert.Equal(asLinks, new FileInfo(Path.Combine(Into, "dog", "b.jpg")).LinkTarget is not null);
        // Repeated, nothing comes twice.
        Assert.Equal(3, AppliedLabels.Apply(labels, Into, asLinks, cancellation: Cancellation).AlreadyThere);

        var (taken, left) = AppliedLabels.Undo(Into, Cancellation);

        Assert.Equal((3, 0), (taken, left.Count));
        Assert.Equal(["a.jpg"], Directory.EnumerateFiles(Into, "*.jpg", SearchOption.AllDirectories).Select(Path.GetFileName));
        Assert.False(Directory.Exists(Path.Combine(Into, "dog")));
        Assert.Equal(4, Directory.EnumerateFiles(Path.Combine(_folder.FullName, "photos"), "*", SearchOption.AllDirectories).Count());
    }

    [Fact]
    public void Photos_that_changed_stay_where_they_are()
    {
        var labels = Labels(("a.jpg", "cat"), ("b.jpg", "cat"));
        File.WriteAllText(Path.Combine(_folder.FullName, "photos", "b.jpg"), "another");

        var applied = AppliedLabels.Apply(labels, Into, cancellation: Cancellation);
        Assert.Contains("changed since it was labeled", Assert.Single(applied.Left).Reason, StringComparison.Ordinal);

        File.WriteAllText(Path.Combine(Into, "cat", "a.jpg"), "retouched");
        var (taken, left) = AppliedLabels.Undo(Into, Cancellation);
        Assert.Equal(0, taken);
        Assert.Contains("changed since it was placed", Assert.Single(left).Reason, StringComparison.Ordinal);
        Assert.Equal("retouched", File.ReadAllText(Path.Combine(Into, "cat", "a.jpg")));
    }

    /// <summary>A process that is killed between the list's line and the file leaves a line without a file.</summary>
    [Fact]
    public void Kill_in_mid_copy_loses_nothing()
    {
        var labels = Labels(("a.jpg", "cat"), ("b.jpg", "cat"));
        AppliedLabels.Apply(labels, Into, cancellation: Cancellation);
        File.Delete(Path.Combine(Into, "cat", "b.jpg"));

        Assert.Equal(1, AppliedLabels.Apply(labels, Into, cancellation: Cancellation).Placed["cat"]);
        Assert.Equal(2, AppliedLabels.Undo(Into, Cancellation).TakenBack);
    }

    [Theory]
    [InlineData("..")]
    [InlineData("../outside")]
    [InlineData("a/../../outside")]
    public void Labels_do_not_lead_out_of_the_folder(string label)
    {
        AppliedLabels.Apply(Labels(("a.jpg", label)), Into, cancellation: Cancellation);

        Assert.Single(Directory.EnumerateFiles(Into, "a.jpg", SearchOption.AllDirectories));
        Assert.Equal(["photos", "sorted"], Directory.EnumerateFileSystemEntries(_folder.FullName).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void Files_that_are_no_photos_are_not_copied()
    {
        var labels = Labels(("passwords.txt", "cat"));

        Assert.Equal("not an image", Assert.Single(AppliedLabels.Apply(labels, Into, cancellation: Cancellation).Left).Reason);
        Assert.Empty(Directory.EnumerateFiles(Into, "*.txt", SearchOption.AllDirectories));
    }

    [Fact]
    public void List_that_leads_out_takes_nothing_back()
    {
        AppliedLabels.Apply(Labels(("a.jpg", "cat")), Into, cancellation: Cancellation);
        var outside = Path.Combine(_folder.FullName, "photos", "a.jpg");
        var hash = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(outside)));
        File.WriteAllText(Path.Combine(Into, AppliedLabels.ListName), $"file,sha256,from\n\"../photos/a.jpg\",\"{hash}\",\"x\"\n");

        var (taken, left) = AppliedLabels.Undo(Into, Cancellation);

        Assert.Equal((0, 1), (taken, left.Count));
        Assert.True(File.Exists(outside));
    }

    [Fact]
    public void Table_is_read_as_it_was_written()
    {
        var labels = Labels(("=a.jpg", "cat"), ("b\nc.jpg", null));
        var path = Path.Combine(_folder.FullName, "labels.csv");
        labels.Write(path);

        var read = PhotoLabels.Read(path);

        Assert.Equal(labels.Photos.Select(photo => (labels.FullPath(photo), photo.Label, photo.Reason, photo.Hash)), read.Photos.Select(photo => (photo.Path, photo.Label, photo.Reason, photo.Hash)));
        Assert.Equal(2, AppliedLabels.Apply(read, Into, cancellation: Cancellation).Placed.Values.Sum() + 1);
    }

    [Fact]
    public void Audit_draws_each_class_in_its_share_and_weighs_answers_by_it()
    {
        PhotoLabels labels = new(null,
            [.. Enumerable.Range(0, 90).Select(photo => new PhotoLabel($"/a{photo}", "a", 1, null, 1, null, 0, "x")), .. Enumerable.Range(0, 10).Select(photo => new PhotoLabel($"/b{photo}", "b", 1, null, 1, null, 0, "x"))]);

        var drawn = LabelAudit.Draw(labels, 20);
        Assert.Equal((18, 2), (drawn.Count(photo => photo.Label == "a"), drawn.Count(photo => photo.Label == "b")));
        Assert.Equal(drawn.Select(photo => photo.Path), LabelAudit.Draw(labels, 20).Select(photo => photo.Path));

        var result = LabelAudit.Result(labels, drawn.ToDictionary(photo => photo.Path, photo => new CheckedLabel(photo.Label!, photo.Label == "a")));
        Assert.Equal(0.9, result.Precision, 1e-12);
        Assert.Equal([("a", 18, 18), ("b", 2, 0)], result.Classes);
        Assert.InRange(result.Precision, result.Interval.Low, result.Interval.High);
        Assert.Contains(
            "other labels", Assert.Throws<GraftException>(() => LabelAudit.Result(labels, new Dictionary<string, CheckedLabel> { ["/a1"] = new("b", true) })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Photo_with_two_labels_is_refused_and_blanks_make_no_other_class()
    {
        var path = _folder.File("answered.csv");
        File.WriteAllText(path, "path,label\na.jpg,cat\na.jpg, cat \nb.jpg, dog\n");
        Assert.Equal(["cat", "dog"], PhotoLabels.Read(path).Photos.Select(photo => photo.Label));

        File.WriteAllText(path, "path,label\na.jpg,cat\n./a.jpg,dog\n");
        Assert.Contains("two labels, 'cat' and 'dog'", Assert.Throws<GraftException>(() => PhotoLabels.Read(path)).Message, StringComparison.Ordinal);
    }
}
