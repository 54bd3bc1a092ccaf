using Graft.Data;
using Graft.Testing;

namespace Graft.Tests.Data;

public sealed class PhotoPathsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public PhotoPathsTests()
    {
        foreach (var file in (string[])[
            "b.jpg", "a.PNG", "note.txt", ".hidden.jpg", "trip/c.jpg", "trip/deep/d.jpg", "trip/deep/e.png", "trip/sorted/f.jpg", ".git/g.jpg"])
            File.WriteAllText(_folder.File(file), "x");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Folder_gives_its_photos_and_those_below()
    {
        Assert.Equal(["a.PNG", "b.jpg", "trip/c.jpg", "trip/deep/d.jpg", "trip/deep/e.png", "trip/sorted/f.jpg"], Photos(""));
    }

    [Theory]
    [InlineData("*.jpg", "b.jpg")]
    [InlineData("**/*.jpg", "b.jpg", "trip/c.jpg", "trip/deep/d.jpg", "trip/sorted/f.jpg")]
    [InlineData("trip/**", "trip/c.jpg", "trip/deep/d.jpg", "trip/deep/e.png", "trip/sorted/f.jpg")]
    [InlineData("trip/*/*.jpg", "trip/deep/d.jpg", "trip/sorted/f.jpg")]
    [InlineData("t*p/deep/*", "trip/deep/d.jpg", "trip/deep/e.png")]
    public void Pattern_gives_what_it_matches(string pattern, params string[] expected) => Assert.Equal(expected, Photos(pattern));

    [Fact]
    public void Photos_in_an_excepted_folder_do_not_count()
    {
        foreach (var path in (string[])["trip", "trip/**/*.jpg"])
        {
            var found = PhotoPaths.Find(Path.Join(_folder.FullName, path), except: [Path.Join(_folder.FullName, "trip/sorted/")]);
            Assert.DoesNotContain(found.Photos, photo => photo.Contains("sorted", StringComparison.Ordinal));
            Assert.NotEmpty(found.Photos);
        }
    }

    [Fact]
    public void Where_results_are_written_is_said_if_no_other_photos_are_left()
    {
        var found = PhotoPaths.Find(Path.Join(_folder.FullName, "trip"), except: [Path.Join(_folder.FullName, "trip"), "elsewhere"]);

        Assert.Contains("results are written to", Assert.Single(found.Skipped).Reason, StringComparison.Ordinal);
        Assert.Empty(found.Photos);
    }

    [Fact]
    public void Devices_that_never_end_are_no_photos()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "there are no such files");
        Assert.Equal("empty file, pipe or device", Assert.Single(PhotoPaths.Find("/dev/zero").Skipped).Reason);
    }

    [Fact]
    public void File_is_taken_whatever_it_is_called()
    {
        Assert.Equal(["note.txt"], Photos("note.txt"));
        File.WriteAllText(_folder.File("a*b.jpg"), "x");
        Assert.Equal(["a*b.jpg"], Photos("a*b.jpg"));
    }

    [Theory]
    [InlineData("nowhere.jpg", "there is no such file or folder")]
    [InlineData("nowhere/*.jpg", "no photo matches this pattern")]
    [InlineData("trip/*.gif", "no photo matches this pattern")]
    public void What_leads_nowhere_is_said(string path, string reason)
    {
        var found = PhotoPaths.Find(Path.Join(_folder.FullName, path));
        Assert.Empty(found.Photos);
        Assert.Equal(reason, Assert.Single(found.Skipped).Reason);
    }

    [Fact]
    public void Photos_that_cannot_be_read_are_said_and_other_files_are_not()
    {
        File.WriteAllText(_folder.File("phone/IMG_1.heic"), "x");
        File.WriteAllText(_folder.File("phone/empty.jpg"), "");
        File.WriteAllText(_folder.File("phone/list.txt"), "x");

        var found = PhotoPaths.Find(_folder.File("phone/x")[..^2]);

        Assert.Empty(found.Photos);
        Assert.Equal(["IMG_1.heic", "empty.jpg"], found.Skipped.Select(file => Path.GetFileName(file.Path)));
    }

    [Fact]
    public void Link_that_leads_back_does_not_loop()
    {
        Directory.CreateSymbolicLink(_folder.File("trip/back"), _folder.FullName);
        Assert.Equal(4, Photos("**/*.jpg").Length);
        Assert.Equal(6, Photos("").Length);
    }

    private string[] Photos(string path)
    {
        var found = PhotoPaths.Find(path.Length == 0 ? _folder.FullName : Path.Join(_folder.FullName, path));
        Assert.Empty(found.Skipped);
        return [.. found.Photos.Select(photo => Path.GetRelativePath(_folder.FullName, photo).Replace('\\', '/'))];
    }
}
