using Graft.Backbones;
using Graft.Labeling;
using Graft.Testing;

namespace Graft.Tests.Labeling;

public class ClassGroupsTests
{
    [Fact]
    public void Groups_of_WordNet_are_those_of_its_tree()
    {
        Assert.Equal(Enumerable.Range(151, 118), WordNetGroups.Find("dog"));
        Assert.Equal(Enumerable.Range(281, 7), WordNetGroups.Find("Cat"));
        Assert.Equal(Enumerable.Range(288, 6), WordNetGroups.Find("cat#7"));
        Assert.Equal(Enumerable.Range(281, 5), WordNetGroups.Find("domestic_cat"));
        Assert.Equal(1000, WordNetGroups.Find("entity")!.Count);
        Assert.Null(WordNetGroups.Find("rose window"));
    }

    [Fact]
    public void Classes_are_named_by_index_name_group_and_file()
    {
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.FullName, "classes.txt");
        File.WriteAllText(file, "# pets\nbird=bird\nfish=tench,0..1\n");

        var groups = ClassGroups.Parse(["cat=281..285", "dog", file], ClassNames.ImageNet);

        Assert.Equal(["cat", "dog", "bird", "fish"], groups.Select(group => group.Name));
        Assert.Equal([0, 1], groups[3].Members);
        Assert.Equal(118, groups[1].Members.Count);
    }

    [Theory]
    [InlineData("kat", "Like it: cat")]
    [InlineData("cat=280..1000", "0..999")]
    [InlineData("=3", "names no class")]
    public void What_is_not_there_is_named(string text, string expected) =>
        Assert.Contains(expected, Assert.Throws<GraftException>(() => ClassGroups.Parse([text], ClassNames.ImageNet)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_class_is_of_one_group() => Assert.Contains(
        "both hold", Assert.Throws<GraftException>(() => ClassGroups.Parse(["cat=281..285", "tabby=281"], ClassNames.ImageNet)).Message, StringComparison.Ordinal);

    [Fact]
    public void Classes_of_a_trained_model_are_grouped_by_their_names()
    {
        var groups = ClassGroups.Parse(["flower=roses,tulips", "rest=2"], ["roses", "tulips", "weed, tall"]);
        Assert.Equal([0, 1], groups[0].Members);
        Assert.Equal([2], ClassGroups.Parse(["weed=weed, tall"], ["roses", "tulips", "weed, tall"])[0].Members);
    }
}
