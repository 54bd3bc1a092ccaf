using Graft.Data;
using Graft.Testing;

namespace Graft.Tests.Data;

public sealed class ClassFoldersTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Photos_of_one_name_are_both_kept()
    {
        var folders = new ClassFolders(Sorted, ["daisy"]);

        folders.Add(Photo("mon/1.jpg", "monday"), "daisy");
        var second = folders.Add(Photo("tue/1.jpg", "tuesday"), "daisy");

        Assert.Equal((Path.Join(Sorted, "daisy", "1 (2).jpg"), false), (second.Path, second.WasThere));
        Assert.Equal("monday", File.ReadAllText(Path.Join(Sorted, "daisy", "1.jpg")));
        Assert.Equal("tuesday", File.ReadAllText(second.Path));
    }

    [Fact]
    public void Class_names_and_links_never_lead_out_of_the_folder()
    {
        var outside = Directory.CreateDirectory(_folder.File("outside/x")[..^2]).FullName;
        Directory.CreateDirectory(Sorted);
        Directory.CreateSymbolicLink(Path.Join(Sorted, "rose"), outside);
        var folders = new ClassFolders(Sorted, ["../../evil", "..", "nul", "rose"]);

        Assert.Equal(
            [".._.._evil", "_", "_nul"],
            ((string[])["../../evil", "..", "nul"]).Select(name => Path.GetFileName(Path.GetDirectoryName(folders.Add(Photo("1.jpg", "photo"), name).Path))));
        Assert.Contains(
            "leads out of the folder through a link",
            Assert.Throws<GraftException>(() => folders.Add(Photo("1.jpg", "photo"), "rose")).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(outside));
    }

    [Fact]
    public void What_is_there_is_neither_written_over_nor_copied_again()
    {
        File.WriteAllText(_folder.File("sorted/daisy/1.jpg"), "older");
        File.WriteAllText(_folder.File("sorted/daisy/other.jpg"), "photo");
        var folders = new ClassFolders(Sorted, ["daisy", "rose"]);

        Assert.Equal(new(Path.Join(Sorted, "daisy", "other.jpg"), WasThere: true), folders.Add(Photo("1.jpg", "photo"), "daisy"));
        Assert.False(folders.Add(Photo("1.jpg", "photo"), "rose").WasThere);
        Assert.False(folders.Add(Photo("2.jpg", "PHOTO"), "daisy").WasThere);
        Assert.True(new ClassFolders(Sorted, ["daisy"]).Add(Photo("3.jpg", "PHOTO"), "daisy").WasThere);

        Assert.Equal("older", File.ReadAllText(Path.Join(Sorted, "daisy", "1.jpg")));
        Assert.Equal(["1.jpg", "2.jpg", "other.jpg"], Files("daisy"));
        Assert.Equal(["1.jpg"], Files("rose"));
    }

    [Fact]
    public void Class_names_stay_inside_the_folder_and_apart()
    {
        var folders = new ClassFolders(Sorted, ["../../evil", "..", "", "a/b", "a_b", "Cat", "cat", "CON?"]);
        var photo = Photo("1.jpg", "photo");

        var places = ((string[])["../../evil", "..", "", "a/b", "a_b", "Cat", "cat", "CON?"])
            .Select(name => Path.GetRelativePath(Sorted, folders.Add(photo, name).Path)).ToList();

        Assert.Equal(8, places.Distinct(StringComparer.OrdinalIgnoreCase).Count());
        Assert.All(places, place => Assert.Equal(2, place.Split('/', '\\').Length));
        Assert.All(places, place => Assert.DoesNotContain("..", place.Split('/', '\\')));
    }

    [Fact]
    public void Linked_photo_is_copied_by_its_content()
    {
        File.CreateSymbolicLink(_folder.File("link.jpg"), Photo("real.jpg", "photo"));
        var copy = new ClassFolders(Sorted, ["daisy"]).Add(_folder.File("link.jpg"), "daisy");

        Assert.Null(new FileInfo(copy.Path).LinkTarget);
        Assert.Equal("photo", File.ReadAllText(copy.Path));
        Assert.Equal(["link.jpg"], Files("daisy"));
    }

    [Fact]
    public void Photo_that_is_gone_is_an_error_that_names_it()
    {
        var problem = Assert.Throws<GraftException>(() => new ClassFolders(Sorted, ["daisy"]).Add(_folder.File("gone.jpg"), "daisy"));
        Assert.Contains("gone.jpg", problem.Message, StringComparison.Ordinal);
    }

    private string Sorted => Path.Join(_folder.FullName, "sorted");

    private string Photo(string name, string content)
    {
        File.WriteAllText(_folder.File(name), content);
        return _folder.File(name);
    }

    private string[] Files(string className) =>
        [.. Directory.GetFiles(Path.Join(Sorted, className)).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal)];
}
